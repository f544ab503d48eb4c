"""The first three lines of the comment: the verdict, what changes, and what that means for cost and promises.

Invariant: each is one line of bounded length, whatever the change; stacks to which the same happens are told together.
"""

from collections.abc import Sequence

from stacks.review.gates import Status, Verdict
from stacks.review.markdown import plain
from stacks.review.model import Operation, Preview
from stacks.review.words import sentences

MOST_SENTENCES = 2
"""Of the catalogue that stand in the line of a group of stacks."""


def verdict_line(previews: Sequence[Preview], verdicts: Sequence[Verdict]) -> str:
    """Whether the change may be merged as far as the gates know."""
    broken = [preview.stack for preview in previews if preview.errors]
    failed = [verdict.gate.id for verdict in verdicts if verdict.status is Status.FAILED]
    overridden = [verdict.gate.id for verdict in verdicts if verdict.status is Status.OVERRIDDEN]
    also = f"; overridden with a reason: {', '.join(overridden)}" if overridden else ""
    if broken:
        found = f"; gates that fail in the others: {', '.join(failed)}" if failed else ""
        return f"**Review: cannot be judged.** {plain(', '.join(broken))} cannot be previewed{found}{also}."
    if failed:
        return f"**Review: {len(failed)} of {len(verdicts)} gates fail:** {', '.join(failed)}{also}."
    return f"**Review: all {len(verdicts)} gates pass**{also}."


def change_line(previews: Sequence[Preview]) -> str:
    """What changes, in a sentence for each group of stacks."""
    groups: dict[str, list[str]] = {}
    for preview in previews:
        groups.setdefault(_change(preview), []).append(preview.stack)
    return "; ".join(f"**{plain(', '.join(stacks))}**: {change}" for change, stacks in groups.items()) + "."


def _change(preview: Preview) -> str:
    if preview.errors:
        return "unknown"
    told = list(sentences(preview.comparison)) if preview.comparison else []
    words = [plain(sentence) for sentence in told[:MOST_SENTENCES]]
    if len(told) > MOST_SENTENCES:
        words.append(f"and {len(told) - MOST_SENTENCES} more in the catalogue")
    counts = [
        f"{count} {word}"
        for operation, word in (
            (Operation.CREATE, "created"),
            (Operation.UPDATE, "changed"),
            (Operation.REPLACE, "replaced"),
            (Operation.DELETE, "deleted"),
        )
        if (count := preview.count(operation))
    ]
    if not counts:
        return f"{', '.join(words)} (no resource changes)" if words else "nothing changes"
    return f"{', '.join(words)} ({', '.join(counts)})" if words else ", ".join(counts)


def cost_and_promise_line(previews: Sequence[Preview]) -> str:
    """What a month costs before and after, and whether promises are kept in simulation."""
    costs = [_cost(preview) for preview in previews if preview.cost.after is not None]
    money_said = f"Expected month, USD: {', '.join(costs)}" if costs else "Nothing is paid for"
    return f"{money_said}. {_promises(previews)}."


def _cost(preview: Preview) -> str:
    before, after = preview.cost.before, preview.cost.after
    new = after.expected if after else 0.0
    if before is None:
        return f"{plain(preview.stack)} {money(new)}"
    rise = f" ({(new / before.expected - 1) * 100:+.1f} %)" if before.expected else ""
    same = money(before.expected) == money(new)
    return f"{plain(preview.stack)} {money(new)}" + ("" if same else f", was {money(before.expected)}{rise}")


def _promises(previews: Sequence[Preview]) -> str:
    asked = [(preview.stack, item) for preview in previews for item in preview.promises]
    if not asked:
        return "No promise is touched"
    missed = [f"{item.queue} in {stack}" for stack, item in asked if not item.after.kept]
    if not missed:
        return f"Promises: all {len(asked)} that are touched are kept in simulation"
    shown = ", ".join(missed[:5]) + (f" and {len(missed) - 5} more" if len(missed) > 5 else "")
    return f"Promises: {len(missed)} of {len(asked)} are not kept in simulation: {plain(shown)}"


def money(usd: float) -> str:
    """USD without cents."""
    return f"{usd:,.0f}"
