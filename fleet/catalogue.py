"""The catalogue: what the user states about each queue, in their own units.

The models say what may be written and mean what DESIGN calls "what is known"; nothing derived stands here. Cross-field rules that need the
derived numbers are in `fleet.checks`. Every field's docstring is the text of its reference and of the editor's hint.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fleet.quantities import Duration, Rate, Size
from fleet.sizing import Pool

QUEUE_NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
"""No dots (a dotted name duplicates delayed tasks), no leading digit (a numeric one matches the delay bits of kombu's delayed keys)."""

QUEUE_NAME_LENGTH_MAX = 40
"""`keda-hpa-worker-<queue>-<shard>` and `<queue>-user-credentials` have to stay within a DNS label's 63 characters."""

QueueName = Annotated[str, Field(pattern=QUEUE_NAME_PATTERN, max_length=QUEUE_NAME_LENGTH_MAX)]
TaskPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*-]+$", max_length=200)]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Model(BaseModel):
    """A part of the catalogue: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_by_name=True)


class RuntimeSpec(Model):
    """How long one task runs once it has started."""

    mean: Duration
    """Mean runtime."""
    p99: Duration
    """99th percentile of the runtime."""
    limit: Duration
    """Hard limit: a task that runs longer is killed."""
    cooperative: bool = False
    """The tasks keep their limit themselves; only then may a pool without limits (threads) serve the queue."""


class BurstSpec(Model):
    """A known burst above the peak."""

    rate: Rate
    """Arrivals a second during the burst."""
    lasts: Duration
    """How long it lasts."""


class LoadSpec(Model):
    """How many tasks arrive."""

    peak: Rate
    """Arrivals a second, sustained, at the busiest time."""
    burst: BurstSpec | None = None
    """The worst burst; without it the peak, suddenly, for 60 s is planned for."""


class WaitSpec(Model):
    """The promise: this share of tasks starts within this time after it was enqueued."""

    promise: Duration = 30.0
    """The longest wait that is promised."""
    percentile: Annotated[float, Field(ge=50, lt=100)] = 95.0
    """Share of the tasks, in percent, for which it is promised."""


class ReplicasSpec(Model):
    """Bounds of the number of worker pods, of each shard."""

    min: Annotated[int, Field(ge=0)] = 1
    """Pods that stay when there is nothing to do; 0 lets the queue sleep."""
    max: Annotated[int, Field(ge=1)] | None = None
    """Pods at most; derived from the peak load when it is not given."""


class SecretKeySpec(Model):
    """A key of a Secret in the fleet's namespace."""

    secret: str
    """Name of the Secret."""
    key: str
    """Key in it."""


class VolumeSpec(Model):
    """A volume mounted into the queue's workers; exactly one source."""

    name: Annotated[str, Field(pattern=QUEUE_NAME_PATTERN, max_length=63)]
    """Name of the volume in the pod."""
    mount: Annotated[str, Field(pattern=r"^/.+")]
    """Absolute path in the container."""
    read_only: Annotated[bool, Field(alias="readOnly")] = True
    """Whether the tasks may only read it."""
    secret: str | None = None
    """A Secret's name."""
    config_map: Annotated[str | None, Field(alias="configMap")] = None
    """A ConfigMap's name."""
    claim: str | None = None
    """A PersistentVolumeClaim's name."""
    empty_dir: Annotated[Size | None, Field(alias="emptyDir")] = None
    """Scratch space of this size, gone with the pod."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [value for value in (self.secret, self.config_map, self.claim, self.empty_dir) if value is not None]
        if len(given) != 1:
            raise ValueError("has to name exactly one source: secret, configMap, claim or emptyDir")
        return self


class TolerationSpec(Model):
    """A toleration, as Kubernetes spells it."""

    key: str | None = None
    """Taint key; none with `Exists` tolerates every taint."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """How the value is compared."""
    value: str | None = None
    """Taint value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect; none tolerates all."""


class PodSpec(Model):
    """What the queue's pods carry beside the derived; passed through as written."""

    env: dict[EnvName, str] = {}
    """Environment variables in clear."""
    secrets: dict[EnvName, SecretKeySpec] = {}
    """Environment variables from Secrets."""
    volumes: list[VolumeSpec] = []
    """Volumes."""
    node_selector: Annotated[dict[str, str], Field(alias="nodeSelector")] = {}
    """Labels a node has to have."""
    tolerations: list[TolerationSpec] = []
    """Taints the pods tolerate."""
    gpu: Annotated[int, Field(ge=0, le=16)] = 0
    """`nvidia.com/gpu` a pod."""


class QueueSpec(Model):
    """One queue: which tasks, how long, how many, how soon."""

    tasks: Annotated[list[TaskPattern], Field(min_length=1)]
    """Task names, or patterns with `*`, that go to this queue and to no other."""
    profile: Literal["io", "cpu"]
    """Whether a running task mostly waits (io) or computes (cpu)."""
    runtime: RuntimeSpec
    """How long a task runs."""
    load: LoadSpec
    """How many tasks arrive."""
    wait: WaitSpec = WaitSpec()
    """The promise."""
    memory: Size = 64 * 2**20
    """Resident memory of one running task, on top of the idle worker."""
    idempotent: bool = False
    """Whether a task may run twice without harm."""
    capacity: Literal["on-demand", "spot"] = "on-demand"
    """Nodes the workers may run on."""
    shards: Annotated[int, Field(ge=1, le=32)] = 1
    """Broker queues behind a consistent-hash exchange: more throughput than one queue gives, no order."""
    replicas: ReplicasSpec = ReplicasSpec()
    """Bounds of the number of pods."""
    concurrency: Annotated[int, Field(ge=1, le=256)] | None = None
    """Slots of a pod; derived from the profile when it is not given."""
    pool: Pool | None = None
    """Celery pool; prefork for cpu, gevent for io when it is not given."""
    pod: PodSpec = PodSpec()
    """Environment, Secrets, volumes, node selector, tolerations, GPUs."""


class Catalogue(Model):
    """A whole file."""

    application: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """The Celery application, `module:attribute`."""
    defaults: dict[str, Any] = {}
    """Fields that every queue takes unless it states its own."""
    queues: Annotated[dict[QueueName, QueueSpec], Field(min_length=1)]
    """Queue name -> what is known about it."""
