"""`make up`: from whatever is there to a fleet that is ready, in steps that each find out for themselves what is left to do.

Sandbox (where no cluster was named), `pulumi up`, readiness, the web layer's port. Interrupted anywhere, the same command goes on from there.
"""

from collections.abc import Mapping

from rich.console import Console

from ops import engine, monitoring, observing, readiness, sandbox_cli, state, table
from ops.progress import Progress
from ops.target import ROOT, Target, load_local_plan, open_context, own_environment, sandbox_target


def open_for_start(context: str | None, environ: Mapping[str, str], *, monitored: bool = False) -> Target:
    """The cluster to deploy to; the sandbox is started when none was named.

    The catalogue is checked first: a finding is told in a second, before anything is started.
    """
    monitoring.check_asked(context, asked=monitored)
    if context:
        return open_context(context, environ)
    plan = load_local_plan(ROOT)
    base = own_environment(environ)
    sandbox_cli.start(base, ROOT)
    if monitored:
        state.remember_monitored(state.state_folder(base))
    return sandbox_target(base, plan)


def start_fleet(
    context: str | None, environ: Mapping[str, str], progress: Progress, *, monitored: bool = False
) -> None:
    """Deploy the fleet and show where it is; `monitored` brings a Prometheus into the sandbox.

    Raises: UsageError for a Prometheus on a cluster of the user's own.
    """
    target = open_for_start(context, environ, monitored=monitored)
    state.remember_context(target.folder, context)
    done = engine.deploy(target, progress)
    progress.say(f"pulumi up -s local: {done.summary}")
    readiness.await_ready(target, progress)
    with progress.step("forward the web layer's port"):
        address = observing.web_address(target)
    prometheus = monitoring.start_monitoring(target, progress) if monitoring.is_monitored(target) else None
    show(target, address, prometheus=prometheus)


def show(target: Target, address: str, *, prometheus: str | None = None) -> None:
    """Where the fleet is, its queues, and how to go on."""
    console = Console(highlight=False)
    plan = target.plan
    console.print(
        f"\nThe fleet {plan.fleet} runs on {target.label}: {address} (try {address}/fleet, {address}/docs)\n",
        soft_wrap=True,
    )
    if prometheus:
        console.print(f"Prometheus: {prometheus} (try {prometheus}/alerts)\n", soft_wrap=True)
    views = observing.queue_views(plan, readiness.read_objects(target))
    console.print(table.queue_table(plan, views))
    console.print(
        "\nmake demo    send a mix of tasks and watch the pods come and go"
        "\nmake status  this table once, with messages, done and waits"
        "\nmake shell   pulumi, kubectl, celery and fleet against it"
        "\nmake down    stop everything"
    )
