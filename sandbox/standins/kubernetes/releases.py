"""Helm releases of the charts that a fleet's platform consists of: what they are called, where they come from, who stands in.

The invariant: a chart that is not listed is refused by its name, a wrong repository or a version that is not exact is
refused by its key, and a release is never said to run where nothing does.

Source: pulumi-kubernetes v4.34 `provider/pkg/provider/helm_release.go` (Check, Diff: a new name or namespace replaces;
the outputs of ReleaseStatus); the repositories from each chart's own installation guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sandbox.standins.diffing import Differences, Pattern, differences
from sandbox.standins.kubernetes.client import ApiError, NoSuchKindError
from sandbox.standins.kubernetes.cluster import Cluster
from sandbox.standins.kubernetes.naming import Kind
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import Log, PluginError
from sandbox.standins.property_values import Unknown, has_unknown
from sandbox.standins.urns import unique_name, urn_name

RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_EXACT_VERSION: Final = re.compile(r"v?\d+\.\d+\.\d+\Z")
_REPLACING: Final[tuple[Pattern, ...]] = (("name",), ("namespace",))
_DEPLOYMENT: Final = Kind("apps", "v1", "Deployment")


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that the stand-in knows."""

    repository: str
    """Empty for one that an OCI registry serves, whose name is its whole address."""
    deployment: tuple[str, str] | None = None
    """Namespace and name of what stands for it in the sandbox; None where no object does."""
    beside_the_node: bool = False
    """Whether a process of the sandbox's stands for it."""


CHARTS: Final = {
    "aws-load-balancer-controller": Chart("https://aws.github.io/eks-charts"),
    "cert-manager": Chart("https://charts.jetstack.io", beside_the_node=True),
    "keda": Chart("https://kedacore.github.io/charts", ("keda", "keda-operator")),
    "metrics-server": Chart("https://kubernetes-sigs.github.io/metrics-server/", ("kube-system", "metrics-server")),
    "oci://public.ecr.aws/karpenter/karpenter": Chart(""),
    "oci://public.ecr.aws/karpenter/karpenter-crd": Chart(""),
}


def checked_release(urn: str, inputs: Manifest, previous: Manifest, seed: bytes) -> tuple[Manifest, list[str]]:
    """The inputs with the release's name and namespace, and everything that is wrong with them."""
    named = {"namespace": "default", **inputs}
    if not named.get("name"):
        named["name"] = previous.get("name") or unique_name(f"{urn_name(urn)}-", seed)
    return named, list(_problems(inputs))


def _problems(inputs: Manifest) -> list[str]:
    chart = inputs.get("chart")
    if isinstance(chart, Unknown):
        return []
    known = CHARTS.get(str(chart))
    if known is None:
        return [f"chart {chart!r} is not one that the sandbox stands in for; it knows {', '.join(sorted(CHARTS))}"]
    problems = []
    version = inputs.get("version")
    if not isinstance(version, Unknown) and not _EXACT_VERSION.match(str(version or "")):
        problems.append(f"version of {chart} is to be exact, such as 1.2.3, not {version!r}")
    repository = (inputs.get("repositoryOpts") or {}).get("repo") or ""
    if not isinstance(repository, Unknown) and repository != known.repository:
        problems.append(f"repositoryOpts.repo of {chart} is {known.repository or 'to be absent'}, not {repository!r}")
    return problems


def compared_release(old: Manifest, new: Manifest) -> Differences:
    """How the new inputs differ; a new name or namespace replaces the release."""
    return differences(old, new, _REPLACING)


async def released(
    cluster: Cluster, log: Log, urn: str, inputs: Manifest, *, revision: int, preview: bool
) -> tuple[str, Manifest]:
    """Id and state of a release.

    Raises: PluginError when the sandbox's own component that stands for the chart is not there.
    """
    if preview or has_unknown(inputs):
        return "", inputs
    chart = CHARTS[inputs["chart"]]
    if cluster.imagined is not None:
        await cluster.imagined.warn(urn)
    elif chart.beside_the_node:
        cluster.reached()
    elif chart.deployment is None:
        cluster.reached()
        await log.warn(urn, f"stand-in: nothing of the chart {inputs['chart']} runs in the sandbox")
    else:
        await _require_deployment(cluster, inputs["chart"], *chart.deployment)
    name, namespace = str(inputs["name"]), str(inputs["namespace"])
    version = str(inputs["version"])
    status: Manifest = {
        "appVersion": version, "chart": inputs["chart"], "name": name, "namespace": namespace, "revision": revision,
        "status": "deployed", "version": version,
    }  # fmt: skip
    return f"{namespace}/{name}", {**inputs, "resourceNames": {}, "status": status}


async def _require_deployment(cluster: Cluster, chart: str, namespace: str, name: str) -> None:
    objects, _ = cluster.reached()
    try:
        await objects.client.get(_DEPLOYMENT, namespace, name)
    except (ApiError, NoSuchKindError) as error:
        raise PluginError(
            f"the sandbox's {chart} stands for the chart of that name, and it is not there: {error}"
        ) from None
