"""Faults to seed into a catalogue, each with the one place where it has to be found.

The catalogue in `bench/seeded/` is one as teams have it: two files, anchors, merge keys, defaults of both files, every field, and the settings of an
environment. A fault changes the text of one line, so that all of them can stand in one run without moving each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from fleet.environment import validate_environment
from fleet.errors import CatalogueError, Finding
from fleet.files import parse_catalogue
from fleet.loading import plan_from_source
from fleet.parsing import parse_source

MAIN = "queues.yaml"
PART = "queues.d/billing.yaml"
SETTINGS = "Pulumi.prod.yaml"

FOLDER = Path(__file__).parent / "seeded"

Place = tuple[str, int, int, str]
"""File, line, column and key path."""


@dataclass(frozen=True)
class Fault:
    """One mistake: the text of one line is another, and this is where it has to be found."""

    says: str
    """The mistake in words."""
    file: str
    line: int
    """The line that is changed."""
    old: str
    new: str
    column: int
    """Where it has to be found."""
    path: str
    found_line: int | None = None
    """The line where it has to be found, where that is another one."""

    @property
    def place(self) -> Place:
        """Where it has to be found."""
        return self.file, self.found_line or self.line, self.column, self.path


def seed(faults: Iterable[Fault]) -> dict[str, str]:
    """The files with these faults in them: name -> text."""
    lines = {name: (FOLDER / name).read_text(encoding="utf-8").splitlines() for name in (MAIN, PART, SETTINGS)}
    for fault in faults:
        line = lines[fault.file][fault.line - 1]
        if fault.old not in line:
            raise ValueError(f"{fault.file}:{fault.line} does not hold {fault.old!r}")
        lines[fault.file][fault.line - 1] = line.replace(fault.old, fault.new, 1)
    return {name: "\n".join(text) + "\n" for name, text in lines.items()}


def find(faults: Iterable[Fault]) -> list[Finding]:
    """Every finding of one run over the files with these faults in them."""
    texts = seed(faults)
    settings = parse_source(texts.pop(SETTINGS), SETTINGS)
    environment, findings = validate_environment("prod", settings)
    source = replace(parse_catalogue(texts), settings=settings)
    try:
        return list(plan_from_source(source, environment, findings=findings).notes)
    except CatalogueError as error:
        return error.findings


def places(findings: Iterable[Finding]) -> list[Place]:
    """Where the findings are, in their order."""
    return [(finding.file, finding.line, finding.column, finding.path) for finding in findings]


# fmt: off
FAULTS = (
    Fault("an application without its attribute", MAIN, 1, "shop.celery:app", "shop.celery", 1, "application"),
    Fault("a default promise without a unit", MAIN, 3, "5m", "5", 10, "defaults.wait.promise"),
    Fault("a misspelt default", MAIN, 4, "memory", "memry", 3, "defaults.memry"),
    Fault("a default in days spelt out", MAIN, 6, "7d", "7days", 5, "defaults.dead_letter.keep"),
    Fault("a queue without a profile", MAIN, 10, "profile: io", "# profile", 3, "queues.orders.profile", found_line=8),
    Fault("a rate without a time", MAIN, 16, "20/s", "20", 7, "queues.orders.load.peak"),
    Fault("a burst with a misspelt key", MAIN, 19, "lasts", "last", 9, "queues.orders.load.burst.last"),
    Fault("a text for a truth", MAIN, 20, "true", "'yes'", 5, "queues.orders.idempotent"),
    Fault("a task pattern with a space", MAIN, 24, "shop.mail.digest", "shop mail digest", 9, "queues.mail.tasks[1]"),
    Fault("a number of retries below zero", MAIN, 29, "5", "-1", 7, "queues.mail.retries.max"),
    Fault("a longest pause of nothing", MAIN, 31, "5m", "0s", 7, "queues.mail.retries.longest"),
    Fault("an exception that is no name", MAIN, 32, "ConnectionError", "Connection-Error", 12, "queues.mail.retries.on[0]"),
    Fault("a priority above the highest", MAIN, 33, "9", "32", 16, "queues.mail.priority.shop.mail.send"),
    Fault("a misspelt profile", MAIN, 36, "io", "oi", 5, "queues.search.profile"),
    Fault("a limit with a misspelt unit", MAIN, 39, "20s", "20sec", 7, "queues.search.runtime.limit"),
    Fault("a pool that is none here", MAIN, 41, "gevent", "eventlet", 5, "queues.search.pool"),
    Fault("a concurrency of nothing", MAIN, 42, "4", "0", 5, "queues.search.concurrency"),
    Fault("more shards than serve", MAIN, 43, "2", "64", 5, "queues.search.shards"),
    Fault("a binding pattern with an empty word", MAIN, 44, "search.#", "search..#", 13, "queues.search.binds[0]"),
    Fault("a size with a misspelt unit", MAIN, 53, "150Mi", "150MB", 5, "queues.thumbnails.memory"),
    Fault("a capacity that is none", MAIN, 55, "spot", "spott", 5, "queues.thumbnails.capacity"),
    Fault("a minimum below zero", MAIN, 57, "0", "-1", 7, "queues.thumbnails.replicas.min"),
    Fault("a maximum of nothing", MAIN, 58, "40", "0", 7, "queues.thumbnails.replicas.max"),
    Fault("a CPU request in words", MAIN, 60, "900m", "900mc", 7, "queues.thumbnails.requests.cpu"),
    Fault("a memory request as a number", MAIN, 61, "512Mi", "512", 7, "queues.thumbnails.requests.memory"),
    Fault("a prefetch multiplier of nothing", MAIN, 63, "1", "0", 7, "queues.thumbnails.args.prefetch_multiplier"),
    Fault("a half child", MAIN, 64, "100", "2.5", 7, "queues.thumbnails.args.max_tasks_per_child"),
    Fault("an optimization that Celery does not have", MAIN, 65, "fair", "fairest", 7, "queues.thumbnails.args.optimization"),
    Fault("a percentile of a hundred", MAIN, 76, "90", "100", 7, "queues.exports.wait.percentile"),
    Fault("a downstream name in capitals", MAIN, 78, "warehouse", "Warehouse", 7, "queues.exports.depends_on_downstream.name"),
    Fault("a misspelt key of a downstream", MAIN, 79, "limit", "limt", 7, "queues.exports.depends_on_downstream.limt"),
    Fault("a window that needs no pod", MAIN, 84, "2", "0", 9, "queues.exports.schedule[0].min"),
    Fault("a variable that no shell takes", MAIN, 87, "REGION", "REGION-1", 9, "queues.exports.pod.env.REGION-1"),
    Fault("a Secret without its key", MAIN, 89, ", key: token", "", 9, "queues.exports.pod.secrets.TOKEN.key"),
    Fault("a relative mount path", MAIN, 92, "/scratch", "scratch", 11, "queues.exports.pod.volumes[0].mount"),
    Fault("a scratch space of no size", MAIN, 94, "2Gi", "lots", 11, "queues.exports.pod.volumes[0].emptyDir"),
    Fault("a misspelt node selector", MAIN, 95, "nodeSelector", "nodeSelektor", 7, "queues.exports.pod.nodeSelektor"),
    Fault("a toleration's effect that Kubernetes does not have", MAIN, 99, "NoSchedule", "NoShedule", 11, "queues.exports.pod.tolerations[0].effect"),
    Fault("more GPUs than a node has", MAIN, 100, "0", "17", 7, "queues.exports.pod.gpu"),
    Fault("a mean above the 99th percentile", MAIN, 105, "50ms", "500ms", 7, "queues.audit.runtime.mean"),
    Fault("a minimum above the maximum", MAIN, 109, "min: 1, max: 9", "min: 5, max: 2", 24, "queues.audit.replicas.max"),
    Fault("a default with a misspelt key inside", PART, 2, "promise", "promis", 10, "defaults.wait.promis"),
    Fault("a queue that another file has", PART, 5, "invoices", "audit", 3, "queues.audit"),
    Fault("a pause that the broker cannot keep", PART, 20, "1m", "500ms", 7, "queues.dunning.retries.backoff"),
    Fault("an exception that Python does not have", PART, 21, "OSError", "OSErorr", 12, "queues.dunning.retries.on[0]"),
    Fault("a pool of one loop for computing tasks", PART, 27, "prefork", "gevent", 5, "queues.ledger.pool"),
    Fault("a longest pause below the first", PART, 31, "1h", "30s", 7, "queues.ledger.retries.longest"),
    Fault("a 99th percentile above the limit", PART, 38, "8s", "2m", 7, "queues.taxes.runtime.p99"),
    Fault("a task that another queue has", PART, 41, "billing.statements.*", "shop.audit.daily", 13, "queues.statements.tasks[0]"),
    Fault("a pod that fits no node", PART, 45, "64Mi", "20Gi", 5, "queues.statements.memory"),
    Fault("spot for long tasks that must not run twice", PART, 51, "on-demand", "spot", 5, "queues.refunds.capacity"),
    Fault("a maximum below the peak", PART, 57, "30", "3", 16, "queues.receipts.replicas.max"),
    Fault("a queue name with a dot", PART, 58, "reminders", "tax.reminders", 3, "queues.tax.reminders"),
    Fault("a queue named as another's dead letters", PART, 63, "surveys", "mail-dead", 3, "queues.mail-dead"),
    Fault("a key that stands twice", PART, 73, "shards: 1", "profile: cpu", 5, "queues.letters.profile"),
    Fault("a pool without limits for tasks that keep none", PART, 77, "true", "false", 5, "queues.calls.pool", found_line=79),
    Fault("an environment's start-up without a unit", SETTINGS, 3, "60s", "60", 5, "config.celery-fleet:environment.startup"),
    Fault("a load factor of nothing", SETTINGS, 4, "1", "0", 5, "config.celery-fleet:environment.loadFactor"),
    Fault("a truth in words", SETTINGS, 5, "true", "maybe", 5, "config.celery-fleet:environment.spot"),
    Fault("a misspelt setting", SETTINGS, 6, "nodeMemory", "nodeMemry", 5, "config.celery-fleet:environment.nodeMemry"),
    Fault("a minimum of a queue that does not exist", SETTINGS, 8, "orders", "order", 7, "config.celery-fleet:environment.minimums.order"),
    Fault("an even number of broker nodes", SETTINGS, 10, "3", "2", 7, "config.celery-fleet:environment.broker.nodes"),
    Fault("a broker's memory with a misspelt unit", SETTINGS, 11, "8Gi", "8GB", 7, "config.celery-fleet:environment.broker.memory"),
)
# fmt: on
"""In the order in which one run tells them."""
