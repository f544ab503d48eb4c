"""Credentials that a kubeconfig's helper program gives, such as `aws eks get-token`.

The invariant: what the helper printed is never shown, because it is a secret; what it wrote to its error output is.

Source: Kubernetes docs, "Authenticating", client-go credential plugins (`client.authentication.k8s.io/v1`).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import Final

from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import PluginError

HELPER_SECONDS: Final = 60
EXEC_INFO: Final = "KUBERNETES_EXEC_INFO"


def helper_credentials(helper: Manifest) -> Manifest:
    """What a kubeconfig's user would hold in place of the helper: a token, or a certificate with its key.

    Raises: PluginError when the helper is missing, fails, or prints no credential.
    """
    command = [str(helper.get("command")), *(str(argument) for argument in helper.get("args") or [])]
    stated = {entry["name"]: str(entry["value"]) for entry in helper.get("env") or []}
    version = helper.get("apiVersion", "client.authentication.k8s.io/v1")
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    environment = {**os.environ, **stated, EXEC_INFO: json.dumps(info)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HELPER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PluginError(f"the kubeconfig's credential helper {command[0]!r} cannot run: {error}") from None
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise PluginError(f"the kubeconfig's credential helper {command[0]!r} failed: {said}")
    try:
        status = json.loads(done.stdout)["status"]
        return _as_user(status)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PluginError(f"the kubeconfig's credential helper {command[0]!r} printed no ExecCredential") from None


def _as_user(status: Manifest) -> Manifest:
    user: Manifest = {"token": status["token"]} if status.get("token") else {}
    for key, printed in (("client-certificate", "clientCertificateData"), ("client-key", "clientKeyData")):
        if status.get(printed):
            user[f"{key}-data"] = base64.b64encode(status[printed].encode()).decode()
    return user
