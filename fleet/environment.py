"""What differs between environments: start-up time, scale of requests, broker size, minimums, spot or not, the place in AWS.

The values stand in `Pulumi.<environment>.yaml` under `celery-fleet:environment`; what is not stated there comes from the table below. The catalogue
is the same everywhere.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from fleet.catalogue import Model, QueueName
from fleet.cloud import Cloud, default_cloud
from fleet.cloud_settings import CloudSpec, derive_cloud, wrong_settings
from fleet.errors import CatalogueError, Finding
from fleet.explaining import explain, mistakes
from fleet.parsing import read_source
from fleet.quantities import Duration, Size
from fleet.records import Record
from fleet.source import KeyPath, Source

CONFIG_KEY = "celery-fleet:environment"
"""Key of the stack configuration that holds the environment's settings."""

SETTINGS_PATH: KeyPath = ("config", CONFIG_KEY)
"""Where it stands in `Pulumi.<environment>.yaml`."""

_GIB = 2**30


class Environment(Record, frozen=True, kw_only=True):
    """The settings of one environment, whole."""

    name: str
    startup_seconds: float
    """Ts: 95th percentile of the time from wanting a pod to its first task, node provisioning included."""
    cpu_scale: float
    """Factor on CPU requests; below 1 only where one small node carries everything."""
    load_factor: float
    """Factor on every peak of the catalogue."""
    spot: bool
    """Whether queues that allow spot capacity get it here."""
    broker_nodes: int
    broker_cpu_millicores: int
    broker_memory_bytes: int
    broker_storage_bytes: int
    node_memory_bytes: int
    """Allocatable memory of the largest worker node."""
    minimums: dict[str, int]
    """Queue -> minimum replicas in place of the catalogue's."""
    cloud: Cloud | None
    """The place in AWS; None where the cluster is one's own and nothing is paid for."""


class BrokerSpec(Model):
    """Overrides of the broker's size."""

    nodes: Literal[1, 3, 5, 7] | None = None
    """RabbitMQ servers; an even number would tolerate no more failures than the odd one below it."""
    cpu_millicores: Annotated[int | None, Field(ge=50, alias="cpuMillicores")] = None
    """CPU request of each, in thousandths of a core."""
    memory: Size | None = None
    """Memory request and limit of each."""
    storage: Size | None = None
    """Volume of each."""


class EnvironmentSpec(Model):
    """What may stand under `celery-fleet:environment`."""

    startup: Duration | None = None
    """95th percentile of the time from wanting a pod to its first task (Ts)."""
    cpu_scale: Annotated[float | None, Field(gt=0, le=4, alias="cpuScale")] = None
    """Factor on CPU requests."""
    load_factor: Annotated[float | None, Field(gt=0, le=1000, alias="loadFactor")] = None
    """Factor on every peak of the catalogue."""
    spot: bool | None = None
    """Whether queues that allow spot capacity get it."""
    minimums: dict[QueueName, Annotated[int, Field(ge=0)]] = {}
    """Queue -> minimum replicas in place of the catalogue's."""
    node_memory: Annotated[Size | None, Field(alias="nodeMemory")] = None
    """Allocatable memory of the largest worker node."""
    broker: BrokerSpec = BrokerSpec()
    """Size of the RabbitMQ cluster."""
    cloud: CloudSpec = CloudSpec()
    """Place in AWS: region, zones, instances."""


def _defaults(
    name: str,
    *,
    startup: float,
    cpu_scale: float,
    load: float,
    spot: bool,
    nodes: int,
    cpu: int,
    memory: int,
    storage: int,
) -> Environment:
    return Environment(
        name=name, startup_seconds=startup, cpu_scale=cpu_scale, load_factor=load, spot=spot, broker_nodes=nodes,
        broker_cpu_millicores=cpu, broker_memory_bytes=memory * _GIB, broker_storage_bytes=storage * _GIB,
        node_memory_bytes=(6 if name == "local" else 28) * _GIB, minimums={},
        cloud=default_cloud(name),
    )  # fmt: skip


# Start-up: 5 s where the image is on the node, 75 s where a node may have to be provisioned first (EKS with Karpenter).
# Broker: 1.5 CPU leaves room for the daemons on an m7g.large (about 1.9 allocatable); production gets three whole cores.
ENVIRONMENTS: dict[str, Environment] = {
    "local": _defaults(
        "local", startup=5, cpu_scale=0.05, load=0.25, spot=False, nodes=1, cpu=250, memory=1, storage=2
    ),
    "dev": _defaults("dev", startup=75, cpu_scale=1, load=1, spot=True, nodes=1, cpu=1000, memory=2, storage=10),
    "staging": _defaults(
        "staging", startup=75, cpu_scale=1, load=1, spot=True, nodes=3, cpu=1500, memory=4, storage=20
    ),
    "prod": _defaults("prod", startup=75, cpu_scale=1, load=1, spot=True, nodes=3, cpu=3000, memory=8, storage=100),
}
"""Environment -> its settings; another name starts from those of `dev`."""


def default_environment(name: str) -> Environment:
    """The settings of an environment that states nothing."""
    base = ENVIRONMENTS.get(name, ENVIRONMENTS["dev"])
    return replace(base, name=name)


def replace(environment: Environment, **changes: Any) -> Environment:
    """The environment with some fields changed."""
    fields = {field: getattr(environment, field) for field in environment.__struct_fields__}
    return Environment(**{**fields, **changes})


def parse_environment(name: str, settings: Mapping[str, Any]) -> Environment:
    """The environment from what its stack configuration states, as Pulumi hands it over: findings name keys and no lines.

    Raises: CatalogueError with every finding.
    """
    source = Source(file=settings_file(name), data=None, places={})
    environment, findings = _read_environment(name, settings, source, (CONFIG_KEY,))
    if findings:
        raise CatalogueError(findings)
    return environment


def load_environment(root: Path, name: str) -> Environment:
    """The environment as `Pulumi.<name>.yaml` in the project's root states it; its defaults where there is no such file.

    Raises: CatalogueError with every finding.
    """
    environment, findings = validate_environment(name, read_settings(root, name))
    if findings:
        raise CatalogueError(findings)
    return environment


def settings_file(name: str) -> str:
    """The file that holds an environment's settings."""
    return f"Pulumi.{name}.yaml"


def read_settings(root: Path, name: str) -> Source:
    """The file of an environment's settings, parsed; empty where there is none. What is wrong with it stands in its findings."""
    path = root / settings_file(name)
    if not path.exists():
        return Source(file=path.name, data=None, places={})
    try:
        return read_source(path, shown_as=path.name)
    except CatalogueError as error:
        return Source(file=path.name, data=None, places={}, findings=error.findings)


def validate_environment(name: str, source: Source) -> tuple[Environment, list[Finding]]:
    """The environment that its file states, and what is wrong with it; defaults stand in for what is wrong."""
    config = source.data.get("config") if isinstance(source.data, dict) else None
    settings = config.get(CONFIG_KEY) if isinstance(config, dict) else None
    if settings is not None and not isinstance(settings, dict):
        finding = source.finding(SETTINGS_PATH, "is no mapping", "Write keys under it, such as `startup: 75s`.")
        return default_environment(name), [*source.findings, finding]
    environment, findings = _read_environment(name, settings or {}, source, SETTINGS_PATH)
    return environment, [*source.findings, *findings]


def _read_environment(
    name: str, settings: Mapping[str, Any], source: Source, path: KeyPath
) -> tuple[Environment, list[Finding]]:
    findings: list[Finding] = []
    try:
        spec = EnvironmentSpec.model_validate(settings)
    except ValidationError as error:
        details = error.errors(include_url=False)
        findings = [explain(source, path, EnvironmentSpec, detail) for detail in mistakes(EnvironmentSpec, details)]
        wrong = {detail["loc"][0] for detail in details if detail["loc"]}
        spec = EnvironmentSpec.model_validate({key: value for key, value in settings.items() if key not in wrong})
    stated = {
        "startup_seconds": spec.startup,
        "cpu_scale": spec.cpu_scale,
        "load_factor": spec.load_factor,
        "spot": spec.spot,
        "node_memory_bytes": spec.node_memory,
        "broker_nodes": spec.broker.nodes,
        "broker_cpu_millicores": spec.broker.cpu_millicores,
        "broker_memory_bytes": spec.broker.memory,
        "broker_storage_bytes": spec.broker.storage,
        "minimums": dict(spec.minimums),
    }
    wrong_cloud = wrong_settings(spec.cloud)
    findings += [source.finding((*path, "cloud", *item.path), item.problem, item.fix) for item in wrong_cloud]
    changes = {field: value for field, value in stated.items() if value is not None}
    cloud = derive_cloud(name, CloudSpec() if wrong_cloud else spec.cloud)
    return replace(default_environment(name), cloud=cloud, **changes), findings
