"""`make down` and `make clean`: everything that `make up` started is gone afterwards, and nothing else.

On the sandbox the node ends with all that is on it; the stack is destroyed before, within a bound, so that what destroys a fleet elsewhere is used
here every day. On a cluster of the user's own the stack's resources go, and nothing that was there before.
"""

from collections.abc import Mapping

from fleet.errors import FleetError
from ops import engine, forwarding, sandbox_cli, state
from ops.engine import EngineError
from ops.processes import run
from ops.progress import Progress
from ops.target import ROOT, STACK, Target, load_local_plan, open_context, own_environment, sandbox_target

SANDBOX_DESTROY_SECONDS = 150.0
"""Longest wait for the stack's end where the node goes with it anyway: a broker that drains takes its time."""


def stop_fleet(
    context: str | None, environ: Mapping[str, str], progress: Progress, *, with_caches: bool = False
) -> None:
    """Stop the fleet of the named context, of the last `up`, or of the sandbox."""
    folder = state.state_folder(environ)
    chosen = context or state.remembered_context(folder)
    forwarding.end_all(folder)
    if chosen:
        stop_on_context(open_context(chosen, environ), progress)
    if not chosen or with_caches:
        stop_sandbox(own_environment(environ), progress, with_caches=with_caches)
    state.forget_context(folder)


def stop_on_context(target: Target, progress: Progress) -> None:
    """Destroy the stack, then forget it; its configuration file belongs to the work tree and stays.

    Raises: EngineError when a resource could not be deleted; nothing is forgotten then.
    """
    done = engine.destroy(target, progress)
    progress.say(f"pulumi destroy -s {STACK}: {done.summary}")
    run(
        ["pulumi", "stack", "rm", STACK, "--yes", "--preserve-config", "--non-interactive"],
        env=target.environ,
        cwd=str(target.root),
        fix=f"Remove the empty stack by hand: pulumi stack rm {STACK} --preserve-config",
        timeout_seconds=engine.SHORT_SECONDS,
    )


def stop_sandbox(environ: Mapping[str, str], progress: Progress, *, with_caches: bool) -> None:
    """Destroy the stack if the sandbox runs, then end the sandbox, whatever became of the stack."""
    if sandbox_cli.read_status(environ, ROOT).get("state") == "ready":
        try:
            target = sandbox_target(environ, load_local_plan(ROOT))
            done = engine.destroy(target, progress, timeout_seconds=SANDBOX_DESTROY_SECONDS)
            progress.say(f"pulumi destroy -s {STACK}: {done.summary}")
        except EngineError as error:
            progress.say(f"{error.where} did not finish ({error.problem.splitlines()[0]}); the sandbox ends with it")
        except FleetError as error:
            progress.say(f"the stack was left as it is ({error.where}: {error.problem}); the sandbox ends with it")
    sandbox_cli.stop(environ, ROOT, with_caches=with_caches)
    state.forget_monitored(state.state_folder(environ))
