"""The catalogue: what the user states about each queue, in their own units.

The models say what may be written and mean what DESIGN calls "what is known"; nothing derived stands here. Cross-field rules that need the
derived numbers are in `fleet.checks`. Every field's docstring is the text of its reference and of the editor's hint.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fleet.celery_arguments import OWNED_BY_THE_PLAN, plain_name
from fleet.docstrings import field_docstrings
from fleet.quantities import Cpu, Duration, Rate, Size
from fleet.sizing import Optimization, Pool
from fleet.topology import HIGHEST_PRIORITY

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

QUEUE_NAME_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
"""No dots (a dotted name duplicates delayed tasks), no leading digit (a numeric one matches the delay bits of kombu's delayed keys)."""

QUEUE_NAME_LENGTH_MAX = 40
"""`keda-hpa-worker-<queue>-<shard>` and `<queue>-user-credentials` have to stay within a DNS label's 63 characters."""

QueueName = Annotated[str, Field(pattern=QUEUE_NAME_PATTERN, max_length=QUEUE_NAME_LENGTH_MAX)]
TaskPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*-]+$", max_length=200)]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

APPLICATION_PATTERN = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"

BindingPattern = Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]+|[*#])(\.([A-Za-z0-9_-]+|[*#]))*$", max_length=255)]
"""A routing pattern of a topic exchange: words between dots, `*` for one word, `#` for any number."""

ExceptionName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", max_length=200)]


AwsPolicy = Annotated[
    str,
    Field(
        pattern=r"^(arn:aws(-cn|-us-gov)?:iam::(\d{12}|aws):policy/)?([\w+=,.@-]+/)*[\w+=,.@-]{1,128}$", max_length=600
    ),
]
"""Name of an IAM policy, after its path if it has one, or its ARN."""

AWS_POLICIES_MAX = 10
"""Managed policies of a role, unless AWS raises the quota (IAM user guide, "IAM and AWS STS quotas")."""


class Model(BaseModel):
    """A part of the catalogue: unknown keys are refused, `"3"` and `yes` are no numbers, values are frozen."""

    # Built at first use: of twenty models a run validates with two or three, each of which holds the others.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, defer_build=True, strict=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        """Each field with its docstring, which editors show."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema)["properties"]
        for name, text in field_docstrings(cls).items():
            properties[cls.model_fields[name].alias or name]["description"] = text
        return schema

    @classmethod
    def refusal(cls, key: str) -> str | None:
        """Why a key that is none of this part's cannot be set here, where there is more to say than that it is unknown."""
        return None


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


class RetriesSpec(Model):
    """What follows when a task raises: it is enqueued again after a pause that doubles each time. A task's own `autoretry_for` goes before all of it."""

    max: Annotated[int, Field(ge=0, le=100)]
    """Retries of a task; after the last one it has failed. 0: only a task's own retries, so that a queue can stay out of `defaults`."""
    backoff: Duration = 1.0
    """First pause, 1s at least and rounded up to whole seconds; each further one is twice as long."""
    longest: Duration = 600.0
    """No pause is longer."""
    jitter: bool = True
    """Draw each pause at random between nothing and its length, so that tasks that failed together do not return together."""
    on: Annotated[list[ExceptionName], Field(min_length=1)] = ["Exception"]
    """Exceptions that are retried: built-in names or dotted paths; an exceeded soft limit only by its own, `celery.exceptions.SoftTimeLimitExceeded`."""


class DeadLetterSpec(Model):
    """What becomes of messages that the queue gave up on."""

    keep: Duration = 14 * 86400.0
    """How long they are kept for people to look at; then the broker drops them."""

    failed: bool = False
    """Whether a task that failed for good (no retry left, over its limit) is kept there too, with its error and traceback."""


class DownstreamSpec(Model):
    """Something that the tasks use and that takes only so many at once, such as a database's connection pool."""

    name: Annotated[str, Field(pattern=QUEUE_NAME_PATTERN, max_length=63)]
    """Its name; queues that name the same one share it."""
    limit: Annotated[int, Field(ge=1, le=100_000)]
    """Tasks that it takes at once, from all queues that name it."""


class PeakWindowSpec(Model):
    """A known peak: from one time to another, by the clock."""

    start: Annotated[str, Field(alias="from", min_length=1)]
    """When it begins: five fields of cron, such as `0 8 * * 1-5`."""
    end: Annotated[str, Field(alias="to", min_length=1)]
    """When it ends: five fields of cron, such as `0 18 * * 1-5`."""
    timezone: str = "UTC"
    """Time zone of both, by its IANA name, such as `Europe/Berlin`."""
    min: Annotated[int, Field(ge=1)]
    """Pods at least, of each shard, while it lasts."""


class RequestsSpec(Model):
    """Requests of a pod in place of the derived."""

    cpu: Cpu | None = None
    """CPU request; on a cpu queue the limit too."""
    memory: Size | None = None
    """Memory request and limit of the whole pod."""


class ArgsSpec(Model):
    """Arguments of the pool, named as Celery names them; those that the plan owns are refused."""

    prefetch_multiplier: Annotated[int, Field(ge=1, le=64)] = 1
    """Messages a slot holds, the running one included; above 1 only where the mean runtime is under 20 ms."""
    max_tasks_per_child: Annotated[int, Field(ge=1)] | None = None
    """A prefork child is replaced after so many tasks."""
    max_memory_per_child: Size | None = None
    """A prefork child above this is replaced after its task; derived when it is not given."""
    optimization: Annotated[Optimization, Field(strict=False)] = Optimization.FAIR
    """`fair`: a child takes a message when it is free. `fast`: messages are handed out ahead, behind tasks that may be long."""

    @classmethod
    def refusal(cls, key: str) -> str | None:
        """An argument that the plan owns, or one of these in another spelling."""
        name = plain_name(key)
        return f"Write `{name}`." if name in cls.model_fields else OWNED_BY_THE_PLAN.get(name)


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
    pool: Annotated[Pool | None, Field(strict=False)] = None
    """Celery pool; prefork for cpu, gevent for io when it is not given."""
    args: ArgsSpec = ArgsSpec()
    """Arguments of the pool."""
    requests: RequestsSpec = RequestsSpec()
    """Requests of a pod in place of the derived."""
    retries: RetriesSpec | None = None
    """What follows when a task raises; without it only a task's own retries."""
    priority: dict[TaskPattern, Annotated[int, Field(ge=0, le=HIGHEST_PRIORITY)]] = {}
    """Tasks of this queue that go before (or after) the others: task name or pattern -> 0 to 31, higher first; the others have 4. A caller's own wins."""
    binds: list[BindingPattern] = []
    """Patterns by which publishers that are not Celery reach the queue, on the exchange `ingress`."""
    dead_letter: DeadLetterSpec = DeadLetterSpec()
    """What becomes of messages that the queue gave up on."""
    depends_on_downstream: DownstreamSpec | None = None
    """A cap on the tasks that run at once, because what they use takes no more."""
    schedule: list[PeakWindowSpec] = []
    """Known peaks: a minimum by the clock."""
    aws_policies: Annotated[list[AwsPolicy], Field(max_length=AWS_POLICIES_MAX)] = []
    """IAM policies of what the tasks may do in AWS: names in the environment's account, or ARNs. With one, the queue's pods on EKS have a role of their own."""
    pod: PodSpec = PodSpec()
    """Environment, Secrets, volumes, node selector, tolerations, GPUs."""


class Catalogue(Model):
    """A whole file."""

    application: Annotated[str, Field(pattern=APPLICATION_PATTERN)]
    """The Celery application, `module:attribute`."""
    defaults: dict[str, Any] = {}
    """Fields that every queue takes unless it states its own."""
    queues: Annotated[dict[QueueName, QueueSpec], Field(min_length=1)]
    """Queue name -> what is known about it."""
