"""What a program's inputs mean before anything is changed: which object, under which name, and what would differ.

The invariant: the inputs that a check returns decide the object's name and namespace for good; a difference is only
ever one between what the program says now and what it said, or left, in the live object.

Source: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (Check, Diff).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sandbox.standins.diffing import FieldChange, differences
from sandbox.standins.kubernetes.cluster import Cluster
from sandbox.standins.kubernetes.immutable_fields import immutable_fields
from sandbox.standins.kubernetes.naming import (
    annotation,
    assign_name,
    is_autonamed,
    is_named,
    kind_of,
    kind_of_token,
    metadata_of,
    name_of,
    namespace_of,
)
from sandbox.standins.kubernetes.normalize import is_built_in, normalized, pruned, without_omitted
from sandbox.standins.kubernetes.values import Manifest, plain, with_secrets_of
from sandbox.standins.kubernetes.wait_for import ANNOTATION as WAIT_FOR
from sandbox.standins.kubernetes.wait_for import parse_wait_for
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.urns import urn_type

REFUSED_TYPES: Final = {
    "kubernetes:helm.sh/": "Helm charts",
    "kubernetes:kustomize": "Kustomize directories",
    "kubernetes:yaml/v2:": "YAML components (yaml.v2)",
}


def refuse_foreign_type(token: str) -> None:
    """Refuse what the stand-in does not speak, naming what does.

    Raises: PluginError for Helm, Kustomize, YAML components, patch and list resources.
    """
    for prefix, what in REFUSED_TYPES.items():
        if token.startswith(prefix):
            raise PluginError(
                f"{what} ({token}) are not supported by the sandbox's stand-in for the Kubernetes plugin; the sandbox "
                "knows `helm.v3.Release` and `yaml.v2.ConfigFile` of its platform's parts, and the real plugin has them"
            )
    kind = kind_of_token(token).kind
    if kind.endswith("Patch"):
        raise PluginError(
            f"patch resources ({token}) are not supported by the sandbox's stand-in for the Kubernetes plugin"
        )
    if kind.endswith("List"):
        raise PluginError(
            f"list resources ({token}) exist for compatibility with YAML manifests and Helm charts, and cannot be "
            "created directly; use the underlying resource type instead"
        )


def require_name(inputs: Manifest) -> None:
    """Refuse inputs without a name, for a stack that forbids inventing one.

    Raises: PluginError when there is none.
    """
    if not is_named(inputs):
        raise PluginError("autonaming is disabled, resource requires the .metadata.name field to be set")


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change of the program would do to an object."""

    fields: dict[str, FieldChange]
    replaces: list[str]
    delete_before_replace: bool


async def checked(
    cluster: Cluster, urn: str, olds: Manifest, news: Manifest, *, seed: bytes, proposed_name: str | None = None
) -> Manifest:
    """The inputs with their name and namespace, in the API server's spelling, secret where the program's are.

    Raises: PluginError for a type or an annotation that cannot be honoured.
    """
    refuse_foreign_type(urn_type(urn))
    inputs = normalized(plain(news))
    inputs = assign_name(inputs, plain(olds), urn=urn, seed=seed, proposed=proposed_name)
    if metadata_of(inputs).get("generateName"):
        raise PluginError("the `.metadata.generateName` field is not supported in Server-Side Apply mode")
    expression = annotation(inputs, WAIT_FOR)
    if expression:
        parse_wait_for(expression)
    unplaced = isinstance(inputs.get("metadata"), dict) and "namespace" not in metadata_of(inputs)
    if unplaced and cluster.namespace and await cluster.is_namespaced(inputs):
        inputs["metadata"] = {**metadata_of(inputs), "namespace": cluster.namespace}
    return with_secrets_of(inputs, news)


async def compared(
    cluster: Cluster, old_inputs: Manifest, old_live: Manifest, news: Manifest, ignored: list[str]
) -> Difference:
    """How the new inputs differ from the live object, as far as the previous inputs spoke of it."""
    new = normalized(plain(news))
    old = pruned(old_live, normalized(old_inputs))
    if is_built_in(new):
        new = without_omitted(new, old_live)
    namespaced = await cluster.is_namespaced(new)
    old = _placed(old, (namespace_of(old) or "default") if namespaced else "")
    new = _placed(new, metadata_of(new).get("namespace") or "default" if namespaced else "")
    old.setdefault("apiVersion", new.get("apiVersion"))
    old.setdefault("kind", new.get("kind"))
    if name_of(new):
        old["metadata"] = {**metadata_of(old), "name": name_of(old_live)}
    settings = cluster.settings
    immutable = immutable_fields(
        new, configmaps_mutable=settings.configmaps_mutable, secrets_mutable=settings.secrets_mutable
    )
    found = differences(old, new, immutable)
    found.ignore(ignored)
    replaces = found.replaces
    same_place = name_of(new) == name_of(old_live) and namespace_of(new) == namespace_of(_placed_like(old_live, new))
    fixed_name = is_named(new) and not is_autonamed(new)
    return Difference(found.fields, replaces, bool(replaces) and fixed_name and same_place)


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    metadata = {key: value for key, value in metadata_of(manifest).items() if key != "namespace"}
    if namespace:
        metadata["namespace"] = namespace
    return {**manifest, "metadata": metadata} if isinstance(manifest.get("metadata", {}), dict) else dict(manifest)


def _placed_like(live: Manifest, new: Manifest) -> Manifest:
    """The live object with the namespace spelled out if the new inputs spell theirs out."""
    return _placed(live, namespace_of(live) or "default") if namespace_of(new) else live


def is_definition(manifest: Manifest) -> bool:
    """Whether the object defines a kind."""
    return kind_of(manifest).kind == "CustomResourceDefinition"
