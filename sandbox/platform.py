"""What the cluster needs before a fleet can be deployed: KEDA, metrics-server, DNS roles, storage, the operators' kinds.

Invariant: upstream's own manifests, changed only where a machine without a registry needs it (image names, pull
policy) or where one node needs no patience (probe delays, leader election).
Facts: KEDA's manifests lie in its module under `config/minimal`; metrics-server's under `manifests/base`.
"""

import copy
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from sandbox import images, programs
from sandbox.api_server import ApiServer, condition
from sandbox.commands import run
from sandbox.components import PLATFORM_MARK
from sandbox.folders import Folders
from sandbox.node_files import CERTIFICATES
from sandbox.progress import Progress
from sandbox.standins import managed_results
from sandbox.standins.node_groups import one_node_for_every_group, one_node_for_several_pods

Manifest = dict[str, Any]

FIRST_PROBE_SECONDS = 1

DEPLOYMENTS = (("keda", "keda-operator"), ("keda", "keda-metrics-apiserver"), ("kube-system", "metrics-server"))
API_SERVICES = ("v1beta1.external.metrics.k8s.io", "v1beta1.metrics.k8s.io")

COREDNS_ROLE: list[Manifest] = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "fleet-sandbox:coredns"},
        "rules": [
            {
                "apiGroups": [""],
                "resources": ["endpoints", "services", "pods", "namespaces"],
                "verbs": ["list", "watch"],
            },
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "fleet-sandbox:coredns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "fleet-sandbox:coredns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "fleet-sandbox:coredns"}],
    },
]
NAMESPACES: list[Manifest] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    for name in ("cert-manager", "keda", "rabbitmq-system")
]


def adapt(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Upstream's manifests for this node: loaded images, and no waiting that only a busy cluster needs."""
    adapted = copy.deepcopy([manifest for manifest in manifests if manifest])
    for manifest in adapted:
        if manifest["kind"] == "Deployment":
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                _adapt_container(container)
    return adapted


def _adapt_container(container: Manifest) -> None:
    if "kedacore/" in container["image"]:
        # One image holds both of KEDA's programs; the manifests name the program to run.
        container["image"] = images.KEDA_OPERATOR.reference
    elif "metrics-server" in container["image"]:
        container["image"] = images.METRICS_SERVER.reference
        # kubelet's certificate is signed by the cluster's authority, so nothing has to be skipped.
        container["args"] += [
            "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
            "--kubelet-request-timeout=5s",
        ]
    container["imagePullPolicy"] = "IfNotPresent"
    # With one replica a lease only delays a restart.
    container["args"] = [argument for argument in container["args"] if argument != "--leader-elect"]
    for probe in ("readinessProbe", "livenessProbe"):
        if probe in container:
            container[probe]["initialDelaySeconds"] = FIRST_PROBE_SECONDS if probe == "readinessProbe" else 20
    container.get("readinessProbe", {})["periodSeconds"] = 2


def platform_manifests(folders: Folders) -> list[Manifest]:
    """Everything to apply, in order."""
    kubectl = programs.program(folders.cache, "kubectl")
    keda = programs.KEDA.kept_in(folders.cache) / "config" / "minimal"
    metrics = programs.METRICS_SERVER.kept_in(folders.cache) / "manifests"
    upstream = [
        manifest
        for folder in (keda, metrics)
        for manifest in yaml.load_all(run([kubectl, "kustomize", folder]), Loader=_loader())
    ]
    return [*COREDNS_ROLE, *NAMESPACES, *adapt(upstream), *_stand_in_manifests(), *_for_aws(folders.node)]


def _for_aws(node: Path) -> list[Manifest]:
    """What a stack on EKS finds here in the place of AWS: its node groups, and trust in its results store."""
    certificates = node / CERTIFICATES
    certificate, key = (certificates / f"elasticache.{suffix}" for suffix in ("crt", "key"))
    one_node = [*one_node_for_every_group(), *one_node_for_several_pods()]
    return [*one_node, *managed_results.prepared(certificate.read_bytes(), key.read_bytes())]


def _loader() -> type:
    # The C parser is ten times faster on KEDA's large definitions, where it is compiled in.
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _stand_in_manifests() -> Iterator[Manifest]:
    printing = {"cert_manager": "--crds", "rabbitmq_operators": "--crds", "volume_provisioner": "--storage-class"}
    for module, option in printing.items():
        printed = run([sys.executable, "-m", f"sandbox.standins.{module}", option])
        yield from (manifest for manifest in yaml.load_all(printed, Loader=_loader()) if manifest)


def apply(folders: Folders, manifests: Sequence[Manifest]) -> None:
    """Apply by server-side apply: KEDA's definitions are too large for an annotation."""
    kubectl = programs.program(folders.cache, "kubectl")
    listing = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
    run(
        [kubectl, f"--kubeconfig={folders.kubeconfig}", "apply", "--server-side", "--force-conflicts",
         "--field-manager=fleet-sandbox", "-f", "-"],
        stdin=listing,
        fix=f"See {folders.logs}/kube-apiserver.log.",
    )  # fmt: skip


def apply_platform(folders: Folders, manifests: Sequence[Manifest]) -> None:
    """Apply, and note that it was."""
    apply(folders, manifests)
    (folders.node / PLATFORM_MARK).touch()


def load_images(folders: Folders, progress: Progress) -> None:
    """Load what pods run into the node's containerd."""
    for image in images.ON_THE_NODE:
        load_image(folders, image, progress)


def load_image(folders: Folders, image: images.Image, progress: Progress) -> None:
    """Load one image; what is loaded already is not loaded again."""
    mark = folders.node / "loaded-images.json"
    loaded: dict[str, str] = json.loads(mark.read_text()) if mark.exists() else {}
    if loaded.get(image.reference) == image.key:
        return
    with progress.step(f"load {image.reference}"):
        run(
            ["ctr", f"--address={folders.containerd_socket}", "--namespace=k8s.io", "images", "import",
             image.archive(folders.cache)],
            fix=f"See {folders.logs}/containerd.log.",
        )  # fmt: skip
    mark.write_text(json.dumps(loaded | {image.reference: image.key}))


def missing_platform(api: ApiServer) -> str:
    """What is not available yet, in words; nothing when all is."""
    for namespace, name in DEPLOYMENTS:
        deployment = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
        if condition(deployment, "Available") != "True":
            return f"Deployment {namespace}/{name}"
    for name in API_SERVICES:
        service = api.get(f"/apis/apiregistration.k8s.io/v1/apiservices/{name}")
        if condition(service, "Available") != "True":
            return f"APIService {name}"
    return ""
