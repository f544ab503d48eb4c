"""What the program says about the provider itself: which cluster, which namespace, which habits.

The invariant: when the cluster behind a provider changes, everything it made is planned for replacement; while a
`clusterIdentifier` stays the same, nothing is, however much the kubeconfig changes.

Source: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (CheckConfig, DiffConfig, Configure).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Final

from sandbox.standins.kubernetes.kubeconfig import active_cluster, ambient_kubeconfig, parse_kubeconfig
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.property_values import UNKNOWN_MARKS, Unknown, Value

CLUSTER_KEYS: Final = ("kubeconfig", "context", "cluster")
IDENTIFIER_KEY: Final = "clusterIdentifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One provider's configuration."""

    kubeconfig: str
    """Text or path; the environment's when the program gives none."""

    context: str
    cluster: str
    namespace: str
    """For objects that name none."""

    server_side_apply: bool
    configmaps_mutable: bool
    secrets_mutable: bool
    force_patches: bool
    upsert_existing: bool
    delete_unreachable: bool
    known: bool
    """Whether all that decides over the cluster is known already; in a preview it may not be."""


def read_settings(variables: dict[str, str]) -> Settings:
    """The settings from the engine's `kubernetes:config:*` variables and the environment.

    Source of the environment's names: the same file, `Configure`.
    """

    def text(key: str) -> str:
        return variables.get(f"kubernetes:config:{key}", "")

    def flag(key: str, environment: str, *, default: bool = False) -> bool:
        stated = text(key) or os.environ.get(environment, "")
        return stated == "true" if stated else default

    unknown = any(text(key) in UNKNOWN_MARKS for key in CLUSTER_KEYS)
    return Settings(
        kubeconfig=text("kubeconfig") or ambient_kubeconfig(),
        context=text("context"),
        cluster=text("cluster"),
        namespace=text("namespace"),
        server_side_apply=flag("enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", default=True),
        configmaps_mutable=flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
        secrets_mutable=flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        force_patches=flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        upsert_existing=flag("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        delete_unreachable=flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        known=not unknown,
    )


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What a change of the provider's own inputs means."""

    changed: tuple[str, ...]
    replaces: tuple[str, ...]


def compare_settings(old: Manifest, new: Manifest) -> SettingsChange:
    """Which of the provider's inputs changed, and which of them mean another cluster.

    A kubeconfig has no identity of its own, so two of them count as two clusters when the entry of the cluster in use
    differs; a `clusterIdentifier` that both have decides instead.
    """
    changed = tuple(sorted(key for key in {*old, *new} if old.get(key) != new.get(key)))
    if not changed:
        return SettingsChange((), ())
    replaces: list[str] = []
    old_identifier, new_identifier = old.get(IDENTIFIER_KEY), new.get(IDENTIFIER_KEY)
    if old_identifier and new_identifier and old_identifier != new_identifier:
        replaces.append(IDENTIFIER_KEY)
    unknown = [key for key in CLUSTER_KEYS if isinstance(new.get(key), Unknown)]
    if unknown:
        replaces += unknown[:1]
        changed = (unknown[0],)
    else:
        before = _active(old)
        after = _active(new)
        if before is not None and after is not None and before != after:
            replaces += [key for key in CLUSTER_KEYS if key in changed]
    if new_identifier and old_identifier == new_identifier:
        replaces = []
    return SettingsChange(changed, tuple(replaces))


def _active(inputs: Manifest) -> Manifest | None:
    config = parse_kubeconfig(_as_text(inputs.get("kubeconfig")))
    return active_cluster(config, context=_as_text(inputs.get("context")), cluster=_as_text(inputs.get("cluster")))


def _as_text(value: Value) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return value if isinstance(value, str) else ""
