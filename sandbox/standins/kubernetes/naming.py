"""Which kind of object a Pulumi resource is, and what the object is called.

The invariant: a name is invented once. It is drawn when a resource first gets its inputs checked, it is marked by an
annotation, and from then on it is adopted from the previous inputs.

Source: pulumi-kubernetes v4.32 `provider/pkg/metadata/naming.go`, `provider/pkg/provider/provider.go` (gvkFromURN) and
`util.go` (fqName).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import Unknown
from sandbox.standins.urns import unique_name, urn_name

AUTONAMED_ANNOTATION: Final = "pulumi.com/autonamed"


@dataclass(frozen=True, slots=True)
class Kind:
    """A group, version and kind; the core group is the empty string."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """As `apiVersion` spells it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"


def kind_of_token(token: str) -> Kind:
    """The kind behind a type token such as `kubernetes:apps/v1:Deployment`.

    Raises: PluginError for a token that has no group and version.
    """
    _, module, name = token.split(":")
    group, separator, version = module.partition("/")
    if not separator:
        raise PluginError(f"apiVersion does not have both a group and a version: {module!r} of {token!r}")
    return Kind("" if group == "core" else group, version, name)


def kind_of(manifest: Manifest) -> Kind:
    """The kind an object states in its `apiVersion` and `kind`."""
    group, _, version = str(manifest.get("apiVersion", "")).rpartition("/")
    return Kind("" if group == "core" else group, version, str(manifest.get("kind", "")))


def metadata_of(manifest: Manifest) -> Manifest:
    """The object's metadata, empty when it has none or when it is not known yet."""
    found = manifest.get("metadata")
    return found if isinstance(found, dict) else {}


def name_of(manifest: Manifest) -> str:
    """The object's name, empty when it has none or when it is not known yet."""
    found = metadata_of(manifest).get("name")
    return found if isinstance(found, str) else ""


def namespace_of(manifest: Manifest) -> str:
    """The object's namespace, empty when it names none."""
    found = metadata_of(manifest).get("namespace")
    return found if isinstance(found, str) else ""


def annotation(manifest: Manifest, key: str) -> str:
    """An annotation's value, empty when it is absent or not known yet."""
    annotations = metadata_of(manifest).get("annotations")
    found = annotations.get(key) if isinstance(annotations, dict) else None
    return found if isinstance(found, str) else ""


def is_named(manifest: Manifest) -> bool:
    """Whether the program chose the name, even if its value is not known yet."""
    found = metadata_of(manifest).get("name")
    return bool(found) if isinstance(found, str) else isinstance(found, Unknown)


def is_autonamed(manifest: Manifest) -> bool:
    """Whether the name was invented here."""
    return annotation(manifest, AUTONAMED_ANNOTATION) == "true"


def object_id(manifest: Manifest) -> str:
    """The resource's id: `namespace/name`, or the name alone for what has no namespace."""
    namespace = namespace_of(manifest)
    return f"{namespace}/{name_of(manifest)}" if namespace else name_of(manifest)


def parse_id(resource_id: str) -> tuple[str, str]:
    """Namespace and name of an id; the namespace is empty when the id has none."""
    namespace, _, name = resource_id.rpartition("/")
    return namespace, name


def named(manifest: Manifest, name: str) -> Manifest:
    """A copy that carries an invented name and says so."""
    metadata = dict(metadata_of(manifest))
    annotations = metadata.get("annotations")
    metadata["name"] = name
    if not isinstance(annotations, Unknown):
        metadata["annotations"] = {**(annotations or {}), AUTONAMED_ANNOTATION: "true"}
    return {**manifest, "metadata": metadata}


def assign_name(manifest: Manifest, previous: Manifest, *, urn: str, seed: bytes, proposed: str | None) -> Manifest:
    """The inputs with a name: the program's own, else the one invented before, else a new one.

    A name the program gives is left alone; so is an object whose metadata is not known yet.
    """
    if is_named(manifest) or isinstance(manifest.get("metadata"), Unknown):
        return manifest
    if previous:
        return named(manifest, name_of(previous)) if is_autonamed(previous) else manifest
    return named(manifest, proposed or unique_name(f"{urn_name(urn)}-", seed))
