"""The cluster that a command works on: the sandbox, or a kubeconfig context of the user's own.

The invariant: whoever holds a Target has passed its preconditions, so nothing later fails for a missing program or context. Facts of the fleet
come from its plan; the stack's configuration file can name the fleet (`celery-fleet:name`).
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet.deriving import FLEET_NAME
from fleet.errors import FleetError
from fleet.loading import draft_stack_plan, finish
from fleet.plan import Plan
from ops import sandbox_cli, stack_files, state
from ops.processes import run

ROOT = Path(__file__).resolve().parents[1]
STACK = "local"
"""The stack of a cluster of one's own; the others live on EKS."""

CONTEXT_VARIABLE = "FLEET_CONTEXT"
"""How the Pulumi program hears of the context; a file would leave a change in the work tree."""

MONITORING_VARIABLE = "FLEET_MONITORING"
"""How the Pulumi program hears how the sandbox's Prometheus reads, for the same reason."""

IMAGES_VARIABLE = "FLEET_IMAGES"
"""Set by the sandbox: images are loaded into its node, so no registry is needed."""

KUBECTL_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the fleet is, and how to reach it."""

    context: str | None
    """Kubeconfig context; None for the sandbox."""
    environ: Mapping[str, str] = field(repr=False)
    """Environment of every program that is run: holds the passphrase, so it is never shown."""
    plan: Plan
    folder: Path
    """Files of this room."""
    root: Path = ROOT

    @property
    def namespace(self) -> str:
        """The fleet's namespace."""
        return self.plan.fleet

    @property
    def label(self) -> str:
        """The cluster in a person's words."""
        return f"context {self.context}" if self.context else "the sandbox"

    def kubectl_command(self, *words: str) -> list[str]:
        """A kubectl command line against this cluster."""
        return ["kubectl", *(("--context", self.context) if self.context else ()), *words]

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What a kubectl command prints."""
        return run(
            self.kubectl_command("--request-timeout=20s", *words),
            env=self.environ,
            stdin=stdin,
            fix=f"See whether the cluster answers: {' '.join(self.kubectl_command('get', 'nodes'))}",
            timeout_seconds=KUBECTL_SECONDS,
        )


def own_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The user's environment with this project's programs first on PATH."""
    programs = str(Path(sys.executable).parent)
    path = environ.get("PATH", os.defpath).split(os.pathsep)
    return {**environ, "PATH": os.pathsep.join(dict.fromkeys([programs, *path]))}


def open_sandbox(environ: Mapping[str, str] = os.environ) -> Target:
    """The sandbox as target; it has to be running.

    Raises: FleetError when it is not, or the catalogue has findings.
    """
    plan = load_local_plan(ROOT)
    base = own_environment(environ)
    status = sandbox_cli.read_status(base, ROOT)
    if status.get("state") not in {"ready", "degraded"}:
        raise FleetError("sandbox", f"it is {status.get('state', 'not there')}", "Start it with: make up")
    return sandbox_target(base, plan)


def sandbox_target(environ: Mapping[str, str], plan: Plan) -> Target:
    """The sandbox as target, once it runs."""
    whole = {**environ, **sandbox_cli.variables(environ, ROOT)}
    whole.pop(CONTEXT_VARIABLE, None)
    folder = state.state_folder(whole)
    if state.is_monitored(folder):
        whole[MONITORING_VARIABLE] = "plain"
    return Target(context=None, environ=whole, plan=plan, folder=folder)


def open_context(context: str, environ: Mapping[str, str] = os.environ) -> Target:
    """A cluster of the user's own as target.

    Raises: FleetError when `pulumi` or `kubectl` is not installed, the context is not there, or the catalogue has findings.
    """
    plan = load_local_plan(ROOT)
    own = own_environment(environ)
    own.pop(
        IMAGES_VARIABLE, None
    )  # Set in the sandbox's shell; another cluster's nodes see nothing of what is loaded there.
    for program, origin in (
        ("kubectl", "https://kubernetes.io/docs/tasks/tools/"),
        ("pulumi", "https://www.pulumi.com/docs/install/"),
    ):
        if shutil.which(program, path=own["PATH"]) is None:
            raise FleetError(
                f"CONTEXT={context}",
                f"`{program}` is not on PATH",
                f"Install it ({origin}), or leave CONTEXT out for the sandbox.",
            )
    known = run(["kubectl", "config", "get-contexts", "-o", "name"], env=own, fix="Run it by hand.").split()
    if context not in known:
        listed = ", ".join(known) or "none: is KUBECONFIG set?"
        raise FleetError(f"CONTEXT={context}", "no such context in your kubeconfig", f"Known contexts: {listed}.")
    return Target(
        context=context, environ={**own, CONTEXT_VARIABLE: context}, plan=plan, folder=state.state_folder(own)
    )


def open_last(context: str | None, environ: Mapping[str, str] = os.environ) -> Target:
    """The cluster that was named, else the one of the last `up`."""
    chosen = context or state.remembered_context(state.state_folder(environ))
    return open_context(chosen, environ) if chosen else open_sandbox(environ)


def load_local_plan(root: Path) -> Plan:
    """The plan of the stack `local`, from the catalogue that its configuration names.

    Raises: CatalogueError with every finding; nothing has been started then.
    """
    config = stack_config(root)
    catalogue = str(config.get("celery-fleet:catalogue", "queues.yaml"))
    draft = draft_stack_plan(
        root / catalogue,
        STACK,
        root=root,
        fleet=str(config.get("celery-fleet:name", FLEET_NAME)),
        shown_as=catalogue,
    )
    return finish(draft)


def stack_config(root: Path, stack: str = STACK) -> dict[str, Any]:
    """What a stack's file configures; nothing where it cannot be read, because `pulumi` itself says what is wrong with it."""
    try:
        return stack_files.read_config(root, stack)
    except FleetError:
        return {}
