"""Helm charts as Pulumi resources.

Invariant: a chart is named with its version in `fleet.versions`, and a release that does not become ready is taken back.
Source: pulumi-kubernetes 4.34, `helm.v3.Release` (a custom resource: it can be previewed before the cluster is there, which a remote component
such as `helm.v4.Chart` cannot).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart at one version."""

    name: str
    """Of the chart, and of its release."""
    repository: str
    """Address of a repository, or of a registry: `oci://registry.example/folder`."""
    version: str
    namespace: str
    skip_kinds: bool = False
    """Whether the kinds that it brings come from elsewhere: Helm installs those in a chart's folder `crds` once and never upgrades them."""


def release(
    name: str, chart: Chart, values: Mapping[str, Any], *, opts: pulumi.ResourceOptions
) -> pulumi.CustomResource:
    """The release of a chart; values may hold outputs."""
    # Imported where something is installed: most runs install nothing, and these modules are large.
    import pulumi_kubernetes as k8s  # noqa: PLC0415

    in_registry = chart.repository.startswith("oci://")
    return k8s.helm.v3.Release(
        name,
        name=chart.name,
        chart=f"{chart.repository}/{chart.name}" if in_registry else chart.name,
        version=chart.version,
        namespace=chart.namespace,
        create_namespace=True,
        repository_opts=None if in_registry else k8s.helm.v3.RepositoryOptsArgs(repo=chart.repository),
        values=dict(values),
        atomic=True,
        skip_crds=chart.skip_kinds or None,
        opts=opts,
    )
