"""Which images run: named so that they cannot become others.

Source: Kubernetes docs, "Images", section on image names (a tag can be moved, a digest cannot; without a tag it is `latest`).
"""

from collections.abc import Iterator

from fleet.versions import RABBITMQ_IMAGE, VALKEY_IMAGE
from policy.graph import UNKNOWN, Resource, text
from policy.pods import BROKERS, WORKLOADS, is_upstream, sized
from policy.rule import ELSEWHERE, Finding, Level, ResourceRule

RELEASES = frozenset({RABBITMQ_IMAGE, VALKEY_IMAGE})
"""Images that upstream releases under a version and that this project pins in `fleet.versions`, where a person can read which version that is.

One digest would not do for them: the version matrix compares the version that the name says, and nodes of two architectures and mirrors each have a
digest of their own. Operators are the same case, in `policy.pods.UPSTREAM_NAMESPACES`.
"""


def tag_of(image: str) -> str:
    """The tag of an image's name; empty without one."""
    _, colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    return tag if colon else ""


def _is_moving(image: str) -> bool:
    """Whether the name means another image whenever somebody pushes one."""
    return "@" not in image and tag_of(image) in {"", "latest"}


def _moving(resource: Resource) -> Iterator[Finding]:
    for where, image in _images(resource):
        if _is_moving(image):
            yield Finding(
                resource=resource, where=f"{where}.image", problem="has the tag latest, or none, which means the same"
            )


def _by_tag(resource: Resource) -> Iterator[Finding]:
    if is_upstream(resource):
        return
    for where, image in _images(resource):
        if "@sha256:" not in image and not _is_moving(image) and image not in RELEASES:
            yield Finding(resource=resource, where=f"{where}.image", problem="is named by a tag")


def _images(resource: Resource) -> Iterator[tuple[str, str]]:
    """Place and name of every image that is known; a broker without one takes its operator's."""
    for where, container in sized(resource):
        image = text(container, "image")
        if image and image != UNKNOWN:
            yield where, image


RULES = (
    ResourceRule(
        id="image-tag",
        says="No image is named latest, or without a tag.",
        reason="The same name is another image tomorrow, and two pods of one Deployment run different code.",
        fix="Name the image by digest (name@sha256:…), or at least by the tag of a version.",
        types=(*WORKLOADS, *BROKERS),
        check=_moving,
    ),
    ResourceRule(
        id="image-digest",
        says="Images of the application are named by digest; RabbitMQ, Valkey and the operators by the version that fleet/versions.py pins.",
        reason="Whoever may push can move a tag, so what was reviewed and what runs may differ, and a rollback may bring back something else.",
        fix="Write name@sha256:…; `docker buildx imagetools inspect NAME` shows the digest, and images that this project builds have it anyway.",
        types=(*WORKLOADS, *BROKERS),
        levels={"staging": Level.MANDATORY, "prod": Level.MANDATORY, ELSEWHERE: Level.ADVISORY},
        check=_by_tag,
    ),
)
