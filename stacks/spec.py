"""Every key that may stand under `celery-fleet:` in `Pulumi.<stack>.yaml`, what it may be, and what it means.

Invariant: a key that is not listed here is refused with the nearest one that is. The docstring of a field is its text in the reference and in
every finding about it.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fleet.alerts.rules import RUNBOOK
from fleet.catalogue import Model, TolerationSpec
from fleet.deriving import FLEET_NAME
from fleet.environment import EnvironmentSpec
from fleet.quantities import Rate, Size
from infra.manifests.topology import DeletionPolicy
from infra.observability import Monitoring
from infra.platform import Provision
from stacks.aws_settings import AwsSpec

PROJECT = "celery-fleet"
"""Name of the Pulumi project, which every key carries in front."""

WEB_TOKENS = "webTokens"
RESULTS_PASSWORD = "resultsPassword"  # noqa: S105 -- the name of a key

DnsLabel = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=40)]


class PrebuiltSpec(Model):
    """Images that exist already."""

    web: Annotated[str, Field(min_length=1)]
    """Image of the web layer; by digest in staging and prod."""
    worker: Annotated[str, Field(min_length=1)]
    """Image of the workers, of beat and of the delayed-delivery Job; by digest in staging and prod."""


class ImagesSpec(Model):
    """Where the images come from."""

    registry: Annotated[str, Field(pattern=r"^[a-z0-9.:-]+(/[a-z0-9._/-]+)?$")] | None = None
    """Registry, with a path if it has one, that images are pushed to and nodes pull from."""
    prebuilt: PrebuiltSpec | None = None
    """Images to take as they are; nothing is built then."""
    base: str | None = None
    """Image with Python that the application is put on."""
    cache: bool = False
    """Whether the layers of a build are kept in the registry too, for machines that begin each build with none."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.registry is not None and self.prebuilt is not None:
            raise ValueError("has both registry and prebuilt; keep one")
        if self.cache and self.prebuilt is not None:
            raise ValueError("has both cache and prebuilt, of which nothing is built; keep one")
        return self


class PlatformSpec(Model):
    """Where each part that a cluster needs comes from."""

    cert_manager: Annotated[Provision, Field(alias="certManager", strict=False)] = Provision.EXISTING
    """cert-manager: `existing` or `install`; needed where the topology operator is installed."""
    metrics_server: Annotated[Provision, Field(alias="metricsServer", strict=False)] = Provision.EXISTING
    """metrics-server: `existing` or `install`."""
    keda: Annotated[Provision, Field(strict=False)] = Provision.EXISTING
    """KEDA: `existing` or `install`."""
    rabbitmq_cluster_operator: Annotated[Provision, Field(alias="rabbitmqClusterOperator", strict=False)] = (
        Provision.EXISTING
    )
    """RabbitMQ cluster operator: `existing` or `install`."""
    rabbitmq_topology_operator: Annotated[Provision, Field(alias="rabbitmqTopologyOperator", strict=False)] = (
        Provision.EXISTING
    )
    """RabbitMQ messaging topology operator: `existing` or `install`."""


class SpotNodesSpec(Model):
    """Nodes for queues with `capacity: spot`, where the environment allows spot."""

    node_selector: Annotated[dict[str, str], Field(alias="nodeSelector")] = {}
    """Labels that such a node has."""
    tolerations: list[TolerationSpec] = []
    """Taints that such a node has."""


class WebSpec(Model):
    """How much the web layer takes."""

    max_body: Annotated[Size | None, Field(alias="maxBody")] = None
    """Largest body of a request; 1Mi where nothing is stated. A larger one is answered with 413 before it is read."""
    rate: Rate | None = None
    """Requests that one client may send to each pod, and tasks of its batches; any number where nothing is stated. More are answered with 429."""
    burst: Annotated[int, Field(ge=1)] | None = None
    """So many at once after a pause; a second's worth of `rate` where nothing is stated."""

    @model_validator(mode="after")
    def _burst_of_a_rate(self) -> Self:
        if self.burst is not None and self.rate is None:
            raise ValueError("has a burst without a rate; state both")
        return self


class MonitoringSpec(Model):
    """Who reads the fleet's metrics and is told of its alerts; nothing is installed for it."""

    mode: Annotated[Monitoring | None, Field(strict=False)] = None
    """`operator`: by PodMonitor and PrometheusRule, which the cluster has to serve before; `plain`: by files in ConfigMaps; `none` is the default."""
    labels: dict[str, str] = {}
    """Labels by which the operator's Prometheus chooses what it reads; the chart kube-prometheus-stack asks for `release: <its release>`."""
    runbook: Annotated[str, Field(min_length=1)] = RUNBOOK
    """Address at which people read docs/runbooks/alerts.md; each alert links to its section."""

    @model_validator(mode="after")
    def _labels_of_the_operators(self) -> Self:
        if self.labels and self.mode is not Monitoring.OPERATOR:
            raise ValueError("has labels without `mode: operator`; a Prometheus without operator chooses by no labels")
        return self


class BrokerConnectionsSpec(Model):
    """How the broker is spoken to; how large it is stands in `environment.broker`."""

    tls: bool | None = None
    """Whether the broker speaks TLS, and then nothing else; the default is true on EKS and false on a cluster of your own."""
    issuer: Annotated[str | None, Field(min_length=1)] = None
    """ClusterIssuer of cert-manager that signs its certificate. A stack that installs cert-manager and the topology operator makes one if none is named."""


class StackSpec(Model):
    """Every key that may stand under `celery-fleet:`."""

    target: Literal["existing", "eks"] = "existing"
    """What the fleet runs on: `existing`, a cluster that a kubeconfig names, or `eks`, a cluster in AWS that this stack makes."""
    name: DnsLabel = FLEET_NAME
    """Name of the fleet: its namespace and its vhost."""
    catalogue: str = "queues.yaml"
    """Path of the catalogue, from the project's root."""
    kubeconfig: str | None = None
    """Path of a kubeconfig; otherwise what kubectl would take."""
    context: str | None = None
    """Context of the kubeconfig; otherwise its current one."""
    images: ImagesSpec = ImagesSpec()
    """Where the images come from."""
    platform: PlatformSpec = PlatformSpec()
    """Where each part that a cluster needs comes from."""
    environment: EnvironmentSpec = EnvironmentSpec()
    """What this environment makes of the catalogue."""
    aws: AwsSpec = AwsSpec()
    """What a stack with target `eks` has in AWS, beside what `environment.cloud` says."""
    broker: BrokerConnectionsSpec = BrokerConnectionsSpec()
    """How the broker is spoken to."""
    results_password: Annotated[str | None, Field(alias=RESULTS_PASSWORD, repr=False)] = None
    """Password of the results store; set it with `pulumi config set --secret`."""
    web: WebSpec = WebSpec()
    """How much the web layer takes."""
    monitoring: MonitoringSpec = MonitoringSpec()
    """Who reads the fleet's metrics and is told of its alerts."""
    web_tokens: Annotated[str | None, Field(alias=WEB_TOKENS, repr=False)] = None
    """Who may ask the web layer: `client:token`, several with a comma between; without it anybody who reaches it. Set it with `pulumi config set --secret`."""
    storage_class: Annotated[str | None, Field(alias="storageClass")] = None
    """StorageClass of the volumes of the broker and of a results store in the cluster; otherwise the cluster's default."""
    deletion_policy: Annotated[DeletionPolicy | None, Field(alias="deletionPolicy", strict=False)] = None
    """What becomes of queues and their messages when their resources go: `retain`, or `delete` (the default of local alone)."""
    protect: bool | None = None
    """Whether the broker, and in AWS whatever holds state, is protected from deletion; the default is true in staging and prod."""
    spot_nodes: Annotated[SpotNodesSpec, Field(alias="spotNodes")] = SpotNodesSpec()
    """Where workers of spot queues run."""
