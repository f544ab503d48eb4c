"""The reference of the commands, written from the command line itself; what it cannot say of itself is the JSON that each prints.

Invariant: a command that has no words here fails the test of this page.
"""

from collections.abc import Iterator
from typing import Any

import typer

from fleet.cli.entry import app

INTRODUCTION = """<!-- Written by `python -m fleet.reference` from the commands in fleet/cli/; change those. -->

# fleet

`fleet --help` lists the commands, `fleet COMMAND --help` shows one; `fleet --install-completion` teaches your shell their options, your environments,
queues, tasks and numbers.

## Exit codes

| code | means |
|---|---|
| 0 | fine; for `fleet diff` whether there are differences or not |
| 1 | something to put right: findings of a catalogue or an environment, a task without a queue, a missed promise, letters that stay, what cannot be asked |
| 2 | a command line that is wrong, names an environment or a revision that is not there, or a file that cannot be written |

## JSON

Under `--json` standard output is one JSON document, whatever the outcome; keys may be added, none changes its meaning. What is wrong is one of two objects:

- `{"findings": [{"file", "line", "column", "path", "problem", "fix", "severity"}]}`, in file order; `line` 0 is a whole file, a `note` fails nothing
- `{"error": {"where", "problem", "fix"}}`, for what has no place in a file

Durations are in seconds, sizes in bytes, rates a second, unless a key ends in another unit; texts meant for people are formatted.
A *reason* is `{"path", "value", "basis", "formula", "because", "source"}`.
"""

SHAPES = {
    "plan": (
        "the whole plan, `{fleet, environment, application, topology, broker, web, queues: [...], nodes, demand, cost, reasons: [reason]}`;"
        " with `--why` as `fleet why`"
    ),
    "why": "`[reason]`",
    "cost": (
        "`{environment, cost: {currency, region, price_factor, prices_as_of, queues: [{queue, capacity, instance, node_usd, month, per_thousand_tasks, spot,"
        " spot_saving}], taken, workers, shared: [{item, what, quantity, each, usd}], shared_usd, total}, promises: [{queue, wait_seconds, half, stated,"
        " twice}]}`; a month is `{idle, expected, peak}` in USD, and `region` is null where nothing is paid for"
    ),
    "check": '`{"findings": [...]}` with the notes, which fail nothing; empty where there is nothing to tell',
    "route": (
        "`[{task, queue, pattern, place, exchange, routing_key, shards, shard_rule, priority, priority_pattern, ingress, nearest}]`,"
        " one for each task; `queue` is null where no pattern takes it, and `nearest` then lists what looks most like it"
    ),
    "diff": (
        "`{before, after, environment, application, queues: [{queue, change, fields: [{path, before, after}],"
        " reasons: [{path, before: reason, after: reason}], objects: [{kind, name, action, pods_roll}], cost: {before, after}, dangers: [{problem, fix}]}],"
        " reasons, objects, cost: {before, after}}`;"
        " `change` is added, removed or changed, `action` created, updated, replaced or deleted;"
        " a cost is a month as in `fleet cost`, null where there is none"
    ),
    "init": "`{file, guesses}`: what was written, and how many values are to be corrected",
    "simulate": (
        "`{fleet, environment, seed, kept, counted, prices: [{queue, usd_per_hour}],"
        " outcomes: [{queue, trace, policy, tasks, promised_wait_seconds, promised_percentile, within_percent,"
        " kept, wait_p50_seconds, wait_p95_seconds, wait_p99_seconds, pod_hours, peak_replicas, scale_events, interrupted, cost, ratio, floor_ratio}],"
        " beyond: [{queue, trace, why}], stresses: [{queue, load_multiple, load_per_second, breaks_with_double_runtime,"
        " breaks_with_startup_5_seconds_later, breaks_with_startup_5_times_longer}]}`; a wait is null where tasks never started, `cost` (USD) without"
        " a price of a pod-hour, `ratio` without the clairvoyant bound"
    ),
    "status": (
        "`{fleet, environment, began_at, at, queues: [{queue, today, recent, budget_used_percent}]}`; `today` and `recent` (five minutes) are"
        " `{percent, promised_percent, promised_wait_seconds, tasks}`, and `percent` is null where no task started; moments are in seconds since the epoch"
    ),
    "measure": (
        "`{fleet, environment, source, window_seconds, queues: [{queue, promise: {percent, promised_percent, promised_wait_seconds, tasks},"
        " figures: [figure], hours: [{begins_at, per_second}]}], startup: figure, changes: [{queue, path, before, after, why}],"
        " refusals: [{queue, path, after, where, problem}], diff, comparison, promises: [{queue, promised_percent, promised_wait_seconds, before, after}],"
        " simulated, findings, written}`; a figure is `{path, declared, measured, low, high, samples, needed, verdict, why}` with `verdict` one of fits,"
        " differs, told, too few, unseen; `before` and `after` of a promise are `{kept, traces_kept, traces, worst_trace, within_percent}`; `comparison` is"
        " that of `fleet diff`, null where nothing is to be changed or the changed catalogue has findings"
    ),
    "schema": "the schema itself, with or without the option",
    "dlq list": (
        "`[{queue, dead_letter_queue, count, looked, oldest_at, reasons: {reason: count}, tasks: {task: count}}]`; `count` is null where the broker has no"
        " such queue, `looked` how many letters the rest is about, a moment is in seconds since the epoch"
    ),
    "dlq show": (
        "`[{id, task, reason, queue, deaths, dead_at, due_at, sender, retries, replays, expires, arguments, error, traceback, size_bytes}]`;"
        " null is what the message does not say"
    ),
    "dlq replay": (
        "`{queue, dead_letter_queue, count, done, dry_run, tasks: {task: count}, left: [{id, task, why}], left_count, missing: [id], stopped, file}`;"
        " `stopped` says why it ended early; with something left, missing or stopped the exit code is 1"
    ),
    "dlq drop": "as `fleet dlq replay`",
}
"""Command -> what it prints for programs."""


def commands_page() -> str:
    """The page of every command: what it does, its arguments and options, its JSON."""
    group: Any = typer.main.get_command(app)
    lines = [INTRODUCTION]
    for name, command in _commands(group):
        lines += [f"## fleet {name}\n", f"{command.help.strip()}\n", *_table(command), ""]
        if name in SHAPES:
            lines.append(f"JSON: {SHAPES[name]}.\n")
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its name, those of a group after it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _table(command: Any) -> Iterator[str]:
    yield "| option | default | means |"
    yield "|---|---|---|"
    for parameter in command.params:
        yield f"| {_spelling(parameter)} | {_default(parameter)} | {parameter.help or ''} |"


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    value = "" if parameter.is_flag else f" {parameter.metavar}"
    return ", ".join(f"`{spelling}{value}`" for spelling in parameter.opts)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.default in (None, False) else f"`{parameter.default}`"
