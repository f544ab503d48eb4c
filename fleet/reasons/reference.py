"""The reference of every number that can be explained, written from the rules themselves."""

from collections.abc import Iterator
from types import ModuleType

from fleet.reasons.explaining import MODULES, SHARED_MODULES
from fleet.reasons.rules import Rule, rules_of
from fleet.records import SHARED, Basis

_BASES = {
    Basis.STATED: "you wrote it",
    Basis.DEFAULT: "you left it out, or nothing else would be right: a constant stands in",
    Basis.CHOSEN: "one of several, by what the rule names",
    Basis.COMPUTED: "arithmetic; evaluated as it is shown it gives the value, which a test does",
    Basis.SOLVED: "the least number that meets a condition",
}


def reasons_page() -> str:
    """The page of what `fleet why` can explain."""
    lines = [
        "# The numbers of a plan and their rules\n",
        "`fleet why PATH` shows these with your numbers put in; `fleet plan --json` has them as `reasons`. A number with",
        "several lines comes about in one of several ways. In brackets: where it stands in the JSON of the plan.\n",
        "| basis | means |",
        "|---|---|",
        *(f"| {basis.value} | {meaning} |" for basis, meaning in _BASES.items()),
        "\n## Of a queue\n",
        "The path begins with the queue's name: `reports.replicas.max`.\n",
        *_table(MODULES, prefix=""),
        "\n## Of what the queues share\n",
        *_table(SHARED_MODULES, prefix=f"{SHARED}."),
    ]
    return "\n".join(lines) + "\n"


def _table(modules: tuple[ModuleType, ...], *, prefix: str) -> Iterator[str]:
    yield "| path | is | basis | rule | because | source |"
    yield "|---|---|---|---|---|---|"
    before: Rule | None = None
    for rule in (rule for module in modules for rule in rules_of(module)):
        again = before is not None and before.number == rule.number
        path, means = ("", "") if again else (f"`{prefix}{rule.number.path}`", rule.number.means + _fields(rule))
        yield f"| {path} | {means} | {rule.basis.value} | {rule.symbolic} | {rule.because} | {rule.source} |"
        before = rule


def _fields(rule: Rule) -> str:
    return f" ({', '.join(f'`{field}`' for field in rule.number.fields)})" if rule.number.fields else ""
