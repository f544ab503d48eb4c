"""The comment on a pull request: one for all stacks, the three lines that a reviewer needs first, everything else below and folded.

Invariant: it ends in `MARKER`, by which a comment can be found again by whoever trusts who wrote it; the workflow here puts a mark of its own before it
(`ops/comment.py`), because the text comes from a run of the change's code.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from stacks.review.gates import Status, Verdict, judge
from stacks.review.markdown import Comment, Part, code, part, plain, preformatted
from stacks.review.model import Operation, PolicyFinding, Preview, Step
from stacks.review.overrides import Override
from stacks.review.summary import change_line, cost_and_promise_line, money, verdict_line
from stacks.review.words import promise_sentence, sentences

MARKER = "<!-- celery-fleet review -->"

MOST_FINDINGS = 6
"""Of each gate that are shown unfolded."""

MOST_OVERRIDES = 5
"""That are told not to count."""

MOST_ERRORS = 5
MARKS = {Status.PASSED: "passed", Status.FAILED: "**failed**", Status.OVERRIDDEN: "overridden"}

OPERATION_WORDS = {
    Operation.CREATE: "Created",
    Operation.UPDATE: "Changed",
    Operation.REPLACE: "Replaced",
    Operation.DELETE: "Deleted",
}


def comment_text(previews: Sequence[Preview], verdicts: Sequence[Verdict], overrides: Sequence[Override] = ()) -> str:
    """The whole comment."""
    comment = Comment()
    comment.head += [
        verdict_line(previews, verdicts),
        "",
        change_line(previews),
        "",
        cost_and_promise_line(previews),
        "",
        *_gate_lines(verdicts, overrides),
    ]
    for preview in previews:
        comment.parts += _stack_parts(preview)
    comment.foot += ["", *_origin_lines(previews), "", MARKER]
    return comment.render()


def write_comment(previews: Sequence[Preview], path: Path) -> None:
    """The comment on these previews, as far as they alone can be judged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(comment_text(previews, judge(previews)), encoding="utf-8")


def _gate_lines(verdicts: Sequence[Verdict], overrides: Sequence[Override]) -> Iterator[str]:
    yield "| gate | | |"
    yield "|---|---|---|"
    for verdict in verdicts:
        about = f"reason given: {code(verdict.reason)}" if verdict.reason else plain(verdict.gate.says)
        yield f"| {verdict.gate.id} | {MARKS[verdict.status]} | {about} |"
    yield ""
    for verdict in verdicts:
        if verdict.findings:
            yield f"**{verdict.gate.id}**"
            yield ""
            for finding in verdict.findings[:MOST_FINDINGS]:
                yield f"- {f'{plain(finding.stack)}: ' if finding.stack else ''}{plain(finding.text)}"
            if (more := len(verdict.findings) - MOST_FINDINGS) > 0:
                yield f"- … and {more} more"
            yield ""
    if any(verdict.status is Status.FAILED for verdict in verdicts):
        yield "To let one through, say why in the description of the pull request: <code>gate-override: &lt;gate&gt; &lt;reason&gt;</code>."
        yield ""
    known = {verdict.gate.id for verdict in verdicts}
    for override in [item for item in overrides if item.gate not in known or not item.counts][:MOST_OVERRIDES]:
        why = "gives no reason, so it overrides nothing" if override.gate in known else "names no gate"
        yield f"- {code(f'gate-override: {override.gate}')} {why}."


def _stack_parts(preview: Preview) -> Iterator[Part | str]:
    yield f"### {plain(preview.stack)}\n\n{_counts(preview)}\n"
    for error in preview.errors[:MOST_ERRORS]:
        yield f"- cannot be judged: {code(error)}\n"
    if preview.comparison is not None and (told := list(sentences(preview.comparison))):
        yield part("In the words of the catalogue", told, lambda sentence: [f"- {plain(sentence)}"])
    if preview.promises:
        yield part("Promises, simulated", preview.promises, lambda item: [f"- {plain(promise_sentence(item))}"])
    yield from _money_part(preview)
    for operation in (Operation.DELETE, Operation.REPLACE, Operation.UPDATE, Operation.CREATE):
        if steps := [step for step in preview.steps if step.operation is operation]:
            yield part(f"{OPERATION_WORDS[operation]}: {len(steps)}", steps, _step_lines)
    if advice := [finding for finding in preview.policies if not finding.mandatory]:
        yield part(f"Advice of the policy pack: {len(advice)}", advice, _advice_lines)
    if preview.graph:
        yield part("Graph of resources", preview.graph, lambda line: [preformatted(line)], preformatted=True)


def _advice_lines(finding: PolicyFinding) -> Iterator[str]:
    yield f"- {plain(finding.rule)}: {code(finding.resource)} {plain(finding.message)}"


def _counts(preview: Preview) -> str:
    counted = ", ".join(f"{preview.count(operation)} {OPERATION_WORDS[operation].lower()}" for operation in Operation)
    against = f"compared with {plain(preview.base)}" if preview.base else "with nothing to compare with: all is new"
    return f"{counted}, {preview.unchanged} unchanged; {against}."


def _money_part(preview: Preview) -> Iterator[Part]:
    before, after = preview.cost.before, preview.cost.after
    if after is None or before is None or before == after:
        return
    lines = [
        f"- {word}: {money(old)} → {money(new)}"
        for word, old, new in (
            ("idle", before.idle, after.idle),
            ("expected", before.expected, after.expected),
            ("peak", before.peak, after.peak),
        )
    ]
    for queue in preview.comparison.queues if preview.comparison else ():
        old, new = (month.expected if month else 0.0 for month in (queue.cost.before, queue.cost.after))
        if old != new:
            lines.append(f"- queue {plain(queue.queue)}, its part of the nodes, expected: {money(old)} → {money(new)}")
    yield Part(title="Cost of a month, USD", lines=lines)


def _step_lines(step: Step) -> Iterator[str]:
    marks = [word for word, said in (("protected", step.protected), ("kept", step.kept)) if said]
    said = f" ({', '.join(marks)})" if marks else ""
    yield f"- {step.kind} {code(step.name)}{said}"
    for change in step.changes:
        before, after = ("nothing" if side is None else code(side) for side in (change.before, change.after))
        yield f"  - {code(change.path)}: {before} → {after}{' (replaces it)' if change.replaces else ''}"


def _origin_lines(previews: Sequence[Preview]) -> Iterator[str]:
    """What was not the real thing, once for all stacks."""
    imagined = [preview.stack for preview in previews if preview.imagined]
    real = [preview.stack for preview in previews if not preview.imagined]
    if real:
        yield f"<sub>Compared with what is deployed: {plain(', '.join(real))}.</sub>"
    if imagined:
        yield (
            f"<sub>Without credentials: {plain(', '.join(imagined))}. The real engine compared the change with its base, brought up in an account"
            " and a cluster that exist nowhere; whether queues hold messages, and what differs in the real ones, it cannot know.</sub>"
        )
    lines = dict.fromkeys(line for preview in previews for line in preview.stood_in)
    if lines:
        yield f"<sub>{plain('; '.join(lines))}</sub>"
