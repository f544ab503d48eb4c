"""`aws eks get-token` of the sandbox leads to the sandbox's own API server and nowhere else."""

from __future__ import annotations

import base64
import json
import shutil
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
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *arguments)
    assert ended.value.code == code
    assert "stand-in" in capsys.readouterr().err


def test_it_is_not_installed_beside_a_real_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell of the sandbox never hides the user's own AWS CLI."""
    install_plugins(tmp_path / "home", tmp_path / "bin")
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "aws"
    real.write_text("#!/bin/sh\n")
    real.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "real"))
    install_plugins(tmp_path / "home", tmp_path / "other")
    assert not (tmp_path / "other" / "aws").exists()
    assert shutil.which("aws") == str(real)
