"""`make shell`: a shell in which the literal `pulumi`, `kubectl`, `celery` and `fleet` work against the fleet.

The invariant: the credentials are in the shell's environment and in files readable by their owner alone, and ports forwarded for the shell close
with it. The variables are those that the pods get, so the application runs in the shell as it does in a container.
"""

import base64
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fleet.documents import dump_document, producer_document
from fleet.errors import FleetError
from ops import broker_access, forwarding, observing
from ops.processes import run_visibly
from ops.progress import Progress
from ops.target import STACK, Target

RESULTS_PORT = 6379
RESULTS_SERVICE = "results"
LOGIN_SECRET = "worker-user-credentials"  # noqa: S105 - the name of a Secret, not its content
"""The worker's login: `celery inspect` and `celery purge` need more than a producer may."""

OPERATOR_SECRET = "operator-user-credentials"  # noqa: S105 - the name of a Secret, not its content
"""The login of `fleet dlq`, which alone may read dead letters."""

RESULTS_SECRET_LABEL = "app.kubernetes.io/component=results"  # noqa: S105 - a label
DOCUMENT_FILE = "document.json"
AUTHORITY_FILE = "broker-authority.crt"


@contextmanager
def fleet_variables(target: Target, folder: Path) -> Iterator[dict[str, str]]:
    """The variables of a pod, with broker and results store on loopback for as long as the body runs; files go to `folder`."""
    username, password = observing.secret_login(target, LOGIN_SECRET)
    operator, operator_password = observing.secret_login(target, OPERATOR_SECRET)
    with ExitStack() as stack:
        document = folder / DOCUMENT_FILE
        document.write_text(dump_document(producer_document(target.plan)))
        access = broker_access.broker_access(target)
        broker = stack.enter_context(forwarding.forwarded(target, broker_access.BROKER_SERVICE, access.amqp_port))
        results = stack.enter_context(forwarding.forwarded(target, RESULTS_SERVICE, RESULTS_PORT))
        variables = {
            "FLEET_DOCUMENT": str(document),
            "CELERY_CONFIG_MODULE": "app.shell",
            "FLEET_BROKER_HOST": forwarding.LOOPBACK,
            "FLEET_BROKER_PORT": str(broker),
            "FLEET_BROKER_USERNAME": username,
            "FLEET_BROKER_PASSWORD": password,
            "FLEET_OPERATOR_USERNAME": operator,
            "FLEET_OPERATOR_PASSWORD": operator_password,
            "FLEET_RESULTS_HOST": forwarding.LOOPBACK,
            "FLEET_RESULTS_PORT": str(results),
            **_tls_variables(access, folder),
        }
        if secret := results_password(target):
            variables["FLEET_RESULTS_PASSWORD"] = secret
        yield variables


def _tls_variables(access: broker_access.BrokerAccess, folder: Path) -> dict[str, str]:
    """What makes clients verify the broker behind its forwarded port; none where it speaks in clear."""
    if access.authority is None:
        return {}
    file = folder / AUTHORITY_FILE
    file.write_text(access.authority)
    return {
        "FLEET_BROKER_TLS": "true",
        "FLEET_BROKER_CA": str(file),
        "FLEET_BROKER_SERVER_NAME": broker_access.BROKER_SERVICE,
    }


def kubeconfig_variables(target: Target, folder: Path) -> dict[str, str]:
    """What makes the literal `kubectl` of the shell mean the named context, whatever the user's own current one is."""
    if target.context is None:
        return {}
    file = folder / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(target.kubectl("config", "view", "--raw", "--minify", "--flatten"))
    return {"KUBECONFIG": str(file)}


def results_password(target: Target) -> str:
    """The password of the results store; empty where it has none."""
    found = target.kubectl("get", "secret", "-n", target.namespace, "-l", RESULTS_SECRET_LABEL, "-o", "json")
    for item in json.loads(found).get("items", []):
        if encoded := item.get("data", {}).get("password"):
            return base64.b64decode(encoded).decode()
    return ""


def open_shell(target: Target, progress: Progress, *, command: str | None = None) -> int:
    """Run the user's shell, or one command of it; its exit code.

    A fleet that is not there yet still gives a shell with `pulumi` and `kubectl`, and says what is missing.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=target.folder, prefix="shell-")))
        try:
            variables = stack.enter_context(fleet_variables(target, folder))
        except FleetError as error:
            progress.say(f"celery has no broker here: {error}")
            variables = {}
        environ = {**target.environ, **kubeconfig_variables(target, folder), **variables, "PULUMI_STACK": STACK}
        shell = environ.get("SHELL") or "/bin/sh"
        if command is not None:
            return run_visibly([shell, "-c", command], env=environ)
        progress.say(f"pulumi, kubectl, celery and fleet work on {target.label} here; leave with exit or Ctrl-D")
        return run_visibly([shell], env=environ | {"PS1": f"({target.plan.fleet}) {os.environ.get('PS1', '$ ')}"})
