"""`fleet dlq`: dead letters of a fleet that runs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet.cli.answers import EXIT_FINDINGS, FleetCommand, print_json, print_lines
from fleet.cli.completing import complete_letter_queues, complete_tasks
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, NameOption, StackOption

if TYPE_CHECKING:
    from fleet.dead_letters import Command, LetterAnswer, LetterRequest, Progress
    from fleet.plan import Plan

dlq = typer.Typer(name="dlq", no_args_is_help=True, help="See what queues gave up on and why; send it back or drop it.")

QueueArgument = Annotated[
    str,
    typer.Argument(
        help="A queue of the catalogue, or unrouted.", metavar="QUEUE", autocompletion=complete_letter_queues
    ),
]
IdOption = Annotated[
    list[str] | None, typer.Option("--id", help="Only this task; may be given several times.", metavar="TASK_ID")
]
TaskOption = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        help="Only tasks of this name or pattern; may be given several times.",
        metavar="TASK",
        autocompletion=complete_tasks,
    ),
]
LimitOption = Annotated[int | None, typer.Option("--limit", help="So many at most.", metavar="N", min=1)]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@dlq.command("list", cls=FleetCommand)
def list_(
    *,
    queues: Annotated[
        list[str] | None,
        typer.Argument(
            help="Queues; all when none is given.", metavar="[QUEUE]...", autocompletion=complete_letter_queues
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", help="Look at so many letters of a queue for reasons and tasks; else 500.", metavar="N", min=1
        ),
    ] = None,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how many dead letters each queue has, since when, and why."""
    import time

    answer = _ask(_load(file, stack, name), "list", queues or [], limit=limit)
    if as_json:
        print_json(answer.queues)
        return

    from fleet.dead_letter_text import queue_lines
    from fleet.tables import find_screen

    print_lines(queue_lines(answer.queues or (), find_screen(), now=time.time()))


@dlq.command(cls=FleetCommand)
def show(
    *,
    queue: QueueArgument,
    ids: IdOption = None,
    tasks: TaskOption = None,
    limit: Annotated[int, typer.Option("--limit", help="So many at most.", metavar="N", min=1)] = 20,
    no_args: Annotated[bool, typer.Option("--no-args", help="Leave the arguments of the tasks out.")] = False,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters of a queue one by one."""
    import time

    answer = _ask(_load(file, stack, name), "show", [queue], ids=ids, tasks=tasks, limit=limit, arguments=not no_args)
    if as_json:
        print_json(answer.letters)
        return

    from fleet.dead_letter_text import letter_lines

    print_lines(letter_lines(answer.letters or (), now=time.time()))


@dlq.command(cls=FleetCommand)
def replay(
    *,
    queue: QueueArgument,
    ids: IdOption = None,
    tasks: TaskOption = None,
    limit: LimitOption = None,
    dry_run: DryRunOption = False,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters back to the queue that gave them up."""
    plan = _load(file, stack, name)
    answer = _ask(plan, "replay", [queue], ids=ids, tasks=tasks, limit=limit, dry_run=dry_run)
    _finish(answer, "replayed", as_json=as_json)


@dlq.command(cls=FleetCommand)
def drop(
    *,
    queue: QueueArgument,
    ids: IdOption = None,
    tasks: TaskOption = None,
    limit: LimitOption = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Keep what is dropped in this file, a line of JSON each.", metavar="FILE"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: DryRunOption = False,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop dead letters for good."""
    plan = _load(file, stack, name)
    if not (yes or dry_run):
        _confirm(plan, queue, some=bool(ids or tasks or limit), kept=to is not None, as_json=as_json)
    kept = str(to.absolute()) if to else None
    answer = _ask(plan, "drop", [queue], ids=ids, tasks=tasks, limit=limit, dry_run=dry_run, file=kept)
    _finish(answer, "dropped", as_json=as_json)


def _load(file: Path, stack: str, name: str | None) -> "Plan":
    from fleet.cli.loading import load

    return load(file, stack, name)


def _ask(plan: "Plan", command: "Command", names: list[str], **fields: Any) -> "LetterAnswer":
    """The broker's answer; progress goes to standard error.

    Raises: UsageError when there is no such queue; FleetError when the broker cannot be asked.
    """
    from fleet.dead_letter_process import ask_dead_letters

    return ask_dead_letters(_request(plan, command, names, **fields), _tell)


def _request(
    plan: "Plan",
    command: "Command",
    names: list[str],
    *,
    ids: list[str] | None = None,
    tasks: list[str] | None = None,
    **fields: Any,
) -> "LetterRequest":
    from fleet.dead_letters import LetterRequest, letter_queues
    from fleet.documents import producer_document

    queues = letter_queues(plan)
    chosen = [_queue_name(plan, name) for name in names] or [queue.name for queue in queues]
    return LetterRequest(
        command=command,
        vhost=plan.topology.vhost,
        queues=queues,
        routes=producer_document(plan).routes,
        names=tuple(chosen),
        ids=tuple(ids or ()),
        tasks=tuple(tasks or ()),
        **fields,
    )


def _queue_name(plan: "Plan", name: str) -> str:
    """The logical queue; its dead-letter queue and its shards mean the same.

    Raises: UsageError, with the nearest one, when there is none.
    """
    import difflib

    from fleet.dead_letters import letter_queues
    from fleet.errors import UsageError

    known = letter_queues(plan)
    for queue in known:
        if name in (queue.name, queue.dead_letter_queue, *queue.shards):
            return queue.name
    names = [queue.name for queue in known]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    raise UsageError(f"queue {name!r}", "is not in the catalogue", f"{hint}Queues: {', '.join(names)}.")


def _tell(progress: "Progress") -> None:
    sys.stderr.write(f"{progress.done} done, {progress.looked} of {progress.of} looked at\n")


def _confirm(plan: "Plan", queue: str, *, some: bool, kept: bool, as_json: bool) -> None:
    """Asks the person; ends the command where the answer is no.

    Raises: UsageError where there is nobody to ask.
    """
    from fleet.errors import UsageError

    if as_json or not sys.stdin.isatty():
        raise UsageError("fleet dlq drop", "has nobody to ask whether to drop letters for good", "Add --yes.")
    (summary,) = _ask(plan, "list", [queue], limit=1).queues or ()
    which = "those that you named, of" if some else "all"
    where = "they go to the file" if kept else "no copy is kept; --to FILE keeps one"
    typer.confirm(f"Drop {which} {summary.count or 0} letters in {summary.dead_letter_queue} ({where})?", abort=True)


def _finish(answer: "LetterAnswer", verb: str, *, as_json: bool) -> None:
    outcome = answer.outcome
    if outcome is None:
        raise RuntimeError("the answer is of another command")
    if as_json:
        print_json(outcome)
    else:
        from fleet.dead_letter_text import outcome_lines

        print_lines(outcome_lines(outcome, verb))
    if outcome.left_count or outcome.missing or outcome.stopped:
        raise typer.Exit(EXIT_FINDINGS)
