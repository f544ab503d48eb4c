"""`fleet simulate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.answers import EXIT_FINDINGS, print_json, print_lines, write_file
from fleet.cli.completing import complete_queues
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, StackOption

if TYPE_CHECKING:
    from fleet.simulate.examining import Examination, Question
    from fleet.simulate.model import SimulatedQueue

# Written out, because the enums behind them need numpy; a test holds the two together.
TRACES = ("steady", "diurnal", "step", "flash", "batch", "ramp", "bursty", "heavy-tailed", "on-off", "sparse")
POLICIES = ("plan", "hpa-cpu", "keda-default", "keda-wait", "keda-busy", "fixed-peak", "clairvoyant")
DEFAULT_POLICIES = ("plan", "keda-default", "fixed-peak", "clairvoyant")


def simulate(
    *,
    file: FileOption = CATALOGUE,
    stack: StackOption = STACK,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            "--trace", metavar="NAME", help=f"Only this load, and it counts: {', '.join(TRACES)}, or all. Repeatable."
        ),
    ] = None,
    trace_file: Annotated[
        Path | None,
        typer.Option(
            "--trace-file",
            metavar="CSV",
            help="Recorded arrivals: seconds or ISO 8601 times, and runtimes in seconds if known.",
        ),
    ] = None,
    queue: Annotated[
        list[str] | None,
        typer.Option("--queue", metavar="NAME", help="Only this queue. Repeatable.", autocompletion=complete_queues),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            metavar="NAME",
            help=f"Only these beside the plan: {', '.join(POLICIES[1:])}, or all. Repeatable.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Another seed is another day of the same kind.")
    ] = 1,
    hours: Annotated[
        float | None,
        typer.Option(
            "--hours", metavar="H", min=0.1, help="Length of each trace; 45 minutes to 4 hours by the runtime."
        ),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(
            "--price",
            metavar="P",
            min=0,
            help="USD for a pod-hour of every queue; what a pod takes of its node when not given.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page for a browser, with charts.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try the plan: are promises kept, at what cost, what breaks first.

    Exit code 0 when the plan keeps every trace that counts, 1 when it misses one.

    Every built-in trace counts, except a batch dumped at once that the pods cannot take in time.

    That one is shown with its arithmetic; named by --trace it counts, as a --trace-file does.
    """
    _need_numpy()
    from fleet.cli.loading import load, named_environment
    from fleet.cli.progress import progress
    from fleet.cost import pod_hour_usd
    from fleet.simulate.examining import examine, steps
    from fleet.simulate.model import simulated_queue, world_of

    plan = load(file, stack)
    chosen = _named(queue, [one.name for one in plan.queues], "queue", "--queue") or [one.name for one in plan.queues]
    queues = [simulated_queue(one) for one in plan.queues if one.name in chosen]
    prices = {
        one.name: paid
        for one, cost in zip(plan.queues, plan.cost.queues, strict=True)
        if (paid := price if price is not None else pod_hour_usd(one, cost)) is not None
    }
    question = _question(queues, trace, trace_file, policy, seed=seed, hours=hours, prices=prices)
    with progress(steps(len(queues), question)) as tick:
        found = examine(
            plan.fleet, plan.environment, queues, world_of(named_environment(file, stack)), question, tick=tick
        )
    _show(found, html, as_json=as_json, every_policy=bool(policy))
    if not found.report.kept:
        raise SystemExit(EXIT_FINDINGS)


def _need_numpy() -> None:
    from importlib.util import find_spec

    from fleet.errors import FleetError

    if find_spec("numpy") is None:
        raise FleetError(
            "fleet simulate",
            "needs numpy, which is not installed here",
            "Install it with the extra `simulate`: pip install 'celery-fleet[simulate]', or in a checkout `make venv`.",
        )


def _named(given: list[str] | None, known: list[str] | tuple[str, ...], kind: str, option: str) -> list[str]:
    """What was asked for, each of them known; all of it for `all`.

    Raises: UsageError naming the nearest that there is.
    """
    from difflib import get_close_matches

    from fleet.errors import UsageError

    for name in given or []:
        if name not in known and name != "all":
            near = get_close_matches(name, known, 1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise UsageError(f"{option} {name}", f"is no {kind}", f"{meant}There are {', '.join(known)}.")
    return [name for name in known if "all" in given or name in given] if given else []


def _question(
    queues: "list[SimulatedQueue]", trace: list[str] | None, trace_file: Path | None, policy: list[str] | None, *,
    seed: int, hours: float | None, prices: Mapping[str, float],
) -> "Question":  # fmt: skip
    from fleet.errors import UsageError
    from fleet.simulate.examining import Question
    from fleet.simulate.policies import PolicyName
    from fleet.simulate.trace_files import read_trace
    from fleet.simulate.traces import Trace

    traces = _named(trace, TRACES, "trace", "--trace")
    policies = _named(policy, POLICIES, "policy", "--policy") or list(DEFAULT_POLICIES)
    if trace_file is not None and len(queues) > 1:
        names = ", ".join(queue.name for queue in queues)
        raise UsageError(
            f"--trace-file {trace_file}", f"is for one queue, and there are {names}", "Name it: --queue NAME."
        )
    tasks = None if trace_file is None else read_trace(trace_file)
    return Question(
        traces=tuple(Trace(name) for name in (traces or ([] if tasks else TRACES))),
        asked=bool(traces),
        policies=(PolicyName.PLAN, *(PolicyName(name) for name in policies if name != PolicyName.PLAN)),
        seed=seed,
        hours=hours,
        prices=prices,
        recorded=tasks,
        recorded_name="" if trace_file is None else trace_file.name,
        stressed=not traces and tasks is None,
    )


def _show(found: "Examination", html: Path | None, *, as_json: bool, every_policy: bool) -> None:
    if html is not None:
        from fleet.simulate.page import report_page

        write_file(html, report_page(found))
    if as_json:
        print_json(found.report)
    else:
        from fleet.simulate.report_lines import report_lines
        from fleet.tables import find_screen

        print_lines(report_lines(found.report, find_screen(), every_policy=every_policy))
