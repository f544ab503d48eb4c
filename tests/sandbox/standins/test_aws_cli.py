"""`aws eks get-token` of the sandbox leads to the sandbox's own API server and nowhere else."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.standins import aws_cli, variables
from sandbox.standins.install import install_plugins


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, kubeconfig: Path | None = None) -> None:
    monkeypatch.setattr("sys.argv", ["aws", *arguments])
    monkeypatch.setenv(variables.EKS_KUBECONFIG, str(kubeconfig or ""))
    aws_cli.main()


@pytest.mark.parametrize(
    ("user", "status"),
    [
        pytest.param({"token": "t"}, {"token": "t"}, id="a-token"),
        pytest.param(
            {"client-certificate": "one.crt", "client-key-data": base64.b64encode(b"key").decode()},
            {"clientCertificateData": "certificate", "clientKeyData": "key"},
            id="a-certificate",
        ),
    ],
)
def test_a_token_is_the_sandbox_s_own_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    user: dict[str, str], status: dict[str, Any],
) -> None:  # fmt: skip
    """As any client of Kubernetes takes it."""
    (tmp_path / "one.crt").write_text("certificate")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump({"users": [{"name": "u", "user": user}]}))
    run(monkeypatch, "eks", "get-token", "--cluster-name", "dev", "--region", "eu-west-1", kubeconfig=kubeconfig)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["kind"], printed["status"]) == ("ExecCredential", status)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["s3", "ls"], 252, id="another-command"),
        pytest.param(["eks", "get-token"], 1, id="no-cluster-behind-eks"),
    ],
)
def test_it_says_what_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    """A person who types `aws` in the sandbox must not take it for the real one."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *arguments)
    assert ended.value.code == code
    assert "stand-in" in capsys.readouterr().err


def test_other_commands_reach_the_real_program(tmp_path: Path) -> None:
    """A shell of the sandbox never hides the user's own AWS CLI."""
    install_plugins(tmp_path / "home", tmp_path / "bin")
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "aws"
    real.write_text('#!/bin/sh\necho "real: $*"\n')
    real.chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "real"), os.defpath])
    command = [str(tmp_path / "bin" / "aws"), "s3", "ls"]
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "real: s3 ls\n"


def test_it_is_not_installed_where_the_real_plugin_makes_the_clusters(tmp_path: Path) -> None:
    """A token of the sandbox would be of no use for them."""
    install_plugins(tmp_path / "home", tmp_path / "bin")
    (plugin,) = (tmp_path / "home").rglob("pulumi-resource-aws")
    plugin.write_bytes(b"the real one")
    install_plugins(tmp_path / "home", tmp_path / "other")
    assert (tmp_path / "bin" / "aws").exists()
    assert not (tmp_path / "other" / "aws").exists()
