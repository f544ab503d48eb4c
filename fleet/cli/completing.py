"""What the shell offers after Tab.

Invariant: pressing Tab prints nothing but offers. Where the catalogue cannot be read there are none, and `fleet check` says why.
"""

from pathlib import Path

from typer import Context


def complete_stacks(ctx: Context, incomplete: str) -> list[str]:
    """Environments: those that `Pulumi.<name>.yaml` beside the catalogue states, and the built-in ones."""
    folder = _catalogue(ctx).resolve().parent
    stated = {path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in folder.glob("Pulumi.*.yaml")}
    return sorted(name for name in stated | {"local", "dev", "staging", "prod"} if name.startswith(incomplete))


def complete_queues(ctx: Context, incomplete: str) -> list[str]:
    """Names of the catalogue's queues."""
    return [name for name in _queues(ctx) if name.startswith(incomplete)]


def complete_letter_queues(ctx: Context, incomplete: str) -> list[str]:
    """Queues that have dead letters: the catalogue's, and the one of unrouted messages."""
    from fleet.topology import UNROUTED

    return [name for name in (*_queues(ctx), UNROUTED) if name.startswith(incomplete)]


def complete_tasks(ctx: Context, incomplete: str) -> list[str]:
    """Task names of the catalogue; a pattern is offered up to its `*`. The application is not asked: Tab runs no code of the user's."""
    offered = {
        pattern.partition("*")[0]
        for queue in _queues(ctx).values()
        for pattern in (queue.get("tasks") if isinstance(queue, dict) else None) or []
        if isinstance(pattern, str)
    }
    return sorted(name for name in offered if name and name.startswith(incomplete))


def complete_paths(ctx: Context, incomplete: str) -> list[str]:
    """Paths of numbers, one word further than what is there."""
    from fleet.cli.loading import load
    from fleet.errors import FleetError

    try:
        plan = load(_catalogue(ctx), ctx.params["stack"], explain=True)
    except FleetError:
        return []
    depth = incomplete.count(".") + 1
    offered = {".".join(reason.path.split(".")[:depth]): None for reason in plan.reasons}
    return [path for path in offered if path.startswith(incomplete)]


def _catalogue(ctx: Context) -> Path:
    return Path(ctx.params.get("file") or "queues.yaml")


def _queues(ctx: Context) -> dict[str, object]:
    from fleet.files import read_catalogue

    return {name: raw for part in read_catalogue(_catalogue(ctx)).sources for name, raw in part.queues.items()}
