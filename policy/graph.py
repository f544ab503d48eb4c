"""A stack's resources as plain data, and how rules read them.

Invariant: a rule never fails on what it reads. Whatever is missing, of another shape or not known yet has an answer, and what is not known yet
(in a preview: what only the update will tell) is never called wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

UNKNOWN: Final = "(known after the update)"
"""Stands for a value that the engine does not know before the update; the same rules are asked again then."""

Properties = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource, as a program registers it."""

    typ: str
    """Type token: `kubernetes:apps/v1:Deployment`, `aws:eks/cluster:Cluster`."""
    name: str
    """In the program; in a cluster it may have another."""
    properties: Properties
    """Inputs."""
    urn: str = ""

    @property
    def kind(self) -> str:
        """The last word of the type."""
        return self.typ.rsplit(":", 1)[-1]

    @property
    def namespace(self) -> str:
        """Namespace of a Kubernetes object; empty for one without."""
        return text(self.properties, "metadata.namespace")

    @property
    def object_name(self) -> str:
        """Name of a Kubernetes object in the cluster; empty where Pulumi chooses it."""
        return text(self.properties, "metadata.name")

    @property
    def labels(self) -> Properties:
        """Labels of a Kubernetes object."""
        return section(self.properties, "metadata.labels")


def environment_of(urn: str) -> str:
    """The stack that a URN belongs to, which is named after its environment.

    Source: Pulumi docs, "Resource names", section URNs (`urn:pulumi:<stack>::<project>::<type>::<name>`).
    """
    return urn.partition("::")[0].removeprefix("urn:pulumi:")


def at(tree: Any, path: str) -> Any:
    """The value at a path of keys (`spec.template.spec`): None where there is none, `UNKNOWN` below what is not known."""
    for key in path.split("."):
        if isinstance(tree, str) and tree == UNKNOWN:
            return UNKNOWN
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(key)
    return tree


def section(tree: Any, path: str) -> Properties:
    """The mapping at a path; empty where there is none."""
    found = at(tree, path)
    return found if isinstance(found, Mapping) else {}


def items(tree: Any, path: str) -> Sequence[Any]:
    """The list at a path; empty where there is none."""
    found = at(tree, path)
    return found if isinstance(found, list) else []


def text(tree: Any, path: str) -> str:
    """The text at a path; empty where there is none."""
    found = at(tree, path)
    return found if isinstance(found, str) else ""


def count(value: Any, *, default: int) -> int:
    """A number of pods or nodes; the default where none is stated or known."""
    return int(value) if isinstance(value, int | float) else default


def is_on(value: Any) -> bool:
    """Whether something is switched on; some types say `"true"`."""
    return value is True or (isinstance(value, str) and value in {"true", UNKNOWN})


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of everything below that is text."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from texts(child, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from texts(child, f"{path}[{index}]")
    elif isinstance(value, str) and value != UNKNOWN:
        yield path, value
