"""Requests and limits of a pod."""

from collections.abc import Iterator

from fleet import sizing
from fleet.reasons.rules import Number
from fleet.reasons.sources import CATALOGUE_DEFAULT, KUBERNETES_CPU, KUBERNETES_RESOURCES, SIZING
from fleet.reasons.subject import Subject, is_stated
from fleet.records import Reason
from fleet.sizing import Pool
from fleet.units import format_cpu, format_size

_TASK = Number(path="resources.task_memory", means="Resident memory of one running task, on top of the idle worker")
TASK_STATED = _TASK.stated()
TASK_DEFAULT = _TASK.default("a small task; measure yours", CATALOGUE_DEFAULT)

_REQUEST = Number(
    path="resources.cpu_request", means="CPU request of a pod", fields=("resources.cpu_request_millicores",)
)
REQUEST_STATED = _REQUEST.computed(
    "max(1m, round({request} x {cpu_scale}))",
    "the request as it is stated, thinned out where a small node carries a fleet",
    SIZING,
)
REQUEST_CPU = _REQUEST.computed(
    "max(1m, round({concurrency} x {slot} x {cpu_scale}))", "a computing slot takes a core", SIZING
)
REQUEST_IO = _REQUEST.computed(
    "max(1m, round({concurrency} x {slot} x {cpu_scale}))", "sixteen slots that mostly wait fill a core", SIZING
)

_LIMIT = Number(path="resources.cpu_limit", means="CPU limit of a pod", fields=("resources.cpu_limit_millicores",))
LIMIT_STATED = _LIMIT.computed("{request}", "the request as it is stated, whatever its scale", KUBERNETES_CPU)
LIMIT_CPU = _LIMIT.computed("{concurrency} x {slot}", "a computing task starves no neighbour", KUBERNETES_CPU)
LIMIT_NONE = _LIMIT.chosen(
    "{profile}", "a limit would throttle a waiting process just when messages arrive", KUBERNETES_CPU
)

_MEMORY = Number(path="resources.memory", means="Memory request and limit of a pod", fields=("resources.memory_bytes",))
MEMORY_STATED = _MEMORY.stated()
MEMORY_PREFORK = _MEMORY.computed(
    "ceil(({idle} + {concurrency} x {child} + {concurrency} x {task}) x {headroom} / {step}) x {step}",
    "request = limit: memory that was promised twice is paid for with a kill",
    KUBERNETES_RESOURCES,
)
MEMORY_SHARED = _MEMORY.computed(
    "ceil(({idle} + {concurrency} x {task}) x {headroom} / {step}) x {step}",
    "request = limit: memory that was promised twice is paid for with a kill",
    KUBERNETES_RESOURCES,
)


def explain(subject: Subject) -> Iterator[Reason]:
    """CPU and memory of a pod."""
    spec = subject.spec
    yield subject.reason(TASK_STATED if is_stated(spec, "memory") else TASK_DEFAULT, format_size(spec.memory))
    yield from _cpu_reasons(subject)
    yield _memory_reason(subject)


def _cpu_reasons(subject: Subject) -> Iterator[Reason]:
    queue, resources, stated = subject.plan, subject.plan.resources, subject.spec.requests.cpu
    computing = queue.profile == "cpu"
    request, scale = format_cpu(resources.cpu_request_millicores), subject.environment.cpu_scale
    slots = queue.worker.concurrency
    slot = f"{sizing.CPU_MILLICORES_PER_SLOT if computing else sizing.IO_CPU_MILLICORES_PER_SLOT}m"
    if stated is not None:
        yield subject.reason(REQUEST_STATED, request, request=f"{stated}m", cpu_scale=scale)
    else:
        rule = REQUEST_CPU if computing else REQUEST_IO
        yield subject.reason(rule, request, concurrency=slots, slot=slot, cpu_scale=scale)
    if resources.cpu_limit_millicores is None:
        yield subject.reason(LIMIT_NONE, "none", profile=queue.profile)
    elif stated is not None:
        yield subject.reason(LIMIT_STATED, format_cpu(resources.cpu_limit_millicores), request=f"{stated}m")
    else:
        yield subject.reason(LIMIT_CPU, format_cpu(resources.cpu_limit_millicores), concurrency=slots, slot=slot)


def _memory_reason(subject: Subject) -> Reason:
    worker, memory = subject.plan.worker, format_size(subject.plan.resources.memory_bytes)
    if subject.spec.requests.memory is not None:
        return subject.reason(MEMORY_STATED, memory)
    inputs = {
        "idle": format_size(sizing.IDLE_WORKER_BYTES[worker.pool.value]),
        "concurrency": str(worker.concurrency),
        "task": format_size(subject.spec.memory),
        "step": format_size(sizing.MEMORY_STEP_BYTES),
    }
    if worker.pool is Pool.PREFORK:
        inputs["child"] = format_size(sizing.PREFORK_CHILD_BYTES)
    rule = MEMORY_PREFORK if worker.pool is Pool.PREFORK else MEMORY_SHARED
    return subject.reason(rule, memory, headroom=sizing.MEMORY_HEADROOM, **inputs)
