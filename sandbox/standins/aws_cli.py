"""The executable `aws` of the sandbox: `aws eks get-token` for an EKS cluster that is stood in for, and nothing else.

The invariant: it lies in the sandbox's own folder of programs, only where Pulumi's AWS plugin is stood in for, and what it
gives is good for the sandbox's own API server alone. Every other command goes on to the real `aws` of the machine.

Source: AWS CLI command reference, `eks get-token` (an ExecCredential of `client.authentication.k8s.io/v1beta1`);
Kubernetes docs, "Authenticating", client-go credential plugins.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.standins import variables
from sandbox.standins.install import AWS_CLI, MARKER

API_VERSION: Final = "client.authentication.k8s.io/v1beta1"
NO_SUCH_COMMAND: Final = 252
"""The exit code of the real one for a command line that it does not understand."""


def credential(kubeconfig: Path) -> dict[str, Any]:
    """The ExecCredential that a kubeconfig's first user amounts to.

    Raises: KeyError or OSError when it holds neither a token nor a certificate.
    """
    user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
    if user.get("token"):
        status = {"token": user["token"]}
    else:
        status = {
            "clientCertificateData": _read(kubeconfig, user, "client-certificate"),
            "clientKeyData": _read(kubeconfig, user, "client-key"),
        }
    return {"apiVersion": API_VERSION, "kind": "ExecCredential", "spec": {}, "status": status}


def _read(kubeconfig: Path, user: dict[str, str], key: str) -> str:
    if f"{key}-data" in user:
        return base64.b64decode(user[f"{key}-data"]).decode()
    return (kubeconfig.parent / user[key]).read_text()


def real_program(path: str) -> str:
    """The machine's own `aws` on PATH; empty where there is none."""
    for folder in path.split(os.pathsep):
        candidate = Path(folder) / AWS_CLI.executable
        if os.access(candidate, os.X_OK) and MARKER.encode() not in candidate.read_bytes()[:4096]:
            return str(candidate)
    return ""


def main() -> None:
    """Print the credential, go on to the real program, or say what this is."""
    kubeconfig = os.environ.get(variables.EKS_KUBECONFIG)
    is_token = sys.argv[1:3] == ["eks", "get-token"]
    if not (is_token and kubeconfig) and (real := real_program(os.environ.get("PATH", ""))):
        os.execv(real, [AWS_CLI.executable, *sys.argv[1:]])  # noqa: S606 - a person's own program and arguments
    if not is_token:
        sys.stderr.write("this is the sandbox's stand-in for the AWS CLI: it knows `aws eks get-token` alone\n")
        sys.exit(NO_SUCH_COMMAND)
    if not kubeconfig:
        sys.stderr.write(
            "this is the sandbox's stand-in for the AWS CLI: there is no cluster behind EKS here; "
            f"{variables.EKS_KUBECONFIG}=<kubeconfig> names one\n"
        )
        sys.exit(1)
    sys.stdout.write(json.dumps(credential(Path(kubeconfig))) + "\n")


if __name__ == "__main__":
    main()
