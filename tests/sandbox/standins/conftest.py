"""A real API server on loopback, with etcd and the controllers that delete things, for the tests of the Pulumi stand-ins.

Invariant: whatever a test starts ends with the test run, and nothing is written outside its temporary folder.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import programs
from sandbox.building import provide_programs
from sandbox.folders import find_folders
from sandbox.progress import Progress
from sandbox.standins.install import install_plugins

START_SECONDS = 60.0
TOKEN = "of-a-test-run"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class ApiServer:
    """Where the API server listens, and how to reach it."""

    url: str
    kubeconfig: Path
    cache: Path

    def is_ready(self) -> bool:
        """Whether it answers."""
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - https
        # The server signs its own certificate; nothing but loopback lies between.
        unchecked = ssl._create_unverified_context()  # noqa: S323
        try:
            with urllib.request.urlopen(request, timeout=5, context=unchecked) as answer:  # noqa: S310 - an https URL of ours
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """The output of `kubectl`."""
        command = [str(programs.program(self.cache, "kubectl")), "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60).stdout

    def objects(self, kind: str, namespace: str) -> list[str]:
        """The names of a namespace's objects of one kind."""
        output = self.kubectl("get", kind, "-n", namespace, "-o", "json")
        return [item["metadata"]["name"] for item in json.loads(output)["items"]]


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server without nodes; its programs are built first where they are missing."""
    folder = tmp_path_factory.mktemp("api-server")
    cache = find_folders("celery-fleet", state=None, cache=None).cache
    provide_programs((programs.ETCD, programs.KUBERNETES), cache, Progress())
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "accounts.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
    etcd, peer, secure, controllers = free_port(), free_port(), free_port(), free_port()
    server = ApiServer(f"https://127.0.0.1:{secure}", folder / "kubeconfig", cache)
    server.kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "test",
                "clusters": [{"name": "c", "cluster": {"server": server.url, "insecure-skip-tls-verify": True}}],
                "users": [{"name": "u", "user": {"token": TOKEN}}],
                "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    etcd_url = f"http://127.0.0.1:{etcd}"
    run_etcd = (
        f"etcd --data-dir {folder}/etcd --unsafe-no-fsync --listen-client-urls {etcd_url}"
        f" --advertise-client-urls {etcd_url} --listen-peer-urls http://127.0.0.1:{peer}"
    )
    run_api_server = (
        f"kube-apiserver --etcd-servers {etcd_url} --cert-dir {folder}/certificates --bind-address 127.0.0.1"
        f" --advertise-address 127.0.0.1 --secure-port {secure} --service-cluster-ip-range 10.96.0.0/16"
        f" --service-account-issuer https://test --service-account-key-file {folder}/accounts.key"
        f" --service-account-signing-key-file {folder}/accounts.key --token-auth-file {folder}/tokens.csv"
        " --authorization-mode AlwaysAllow --endpoint-reconciler-type none"
    )
    # Foreground deletion and the end of a namespace are the work of controllers.
    run_controllers = (
        f"kube-controller-manager --kubeconfig {server.kubeconfig} --bind-address 127.0.0.1 --secure-port {controllers}"
        " --leader-elect=false --controllers garbage-collector-controller,namespace-controller,serviceaccount-controller"
    )
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in (run_etcd, run_api_server, run_controllers):
            name, *arguments = command.split()
            with (folder / f"{name}.log").open("wb") as log:
                program = str(programs.program(cache, name))
                processes.append(subprocess.Popen([program, *arguments], stdout=log, stderr=log))
            if name == "kube-apiserver":
                wait_until_ready(server, folder)
        yield server
    finally:
        for process in reversed(processes):
            process.kill()  # they hold nothing but the temporary folder, and an API server ends slowly when asked
            process.wait(timeout=30)


def wait_until_ready(server: ApiServer, folder: Path) -> None:
    """Wait for the API server, or fail with the end of its log."""
    deadline = time.monotonic() + START_SECONDS
    while not server.is_ready():
        if time.monotonic() > deadline:
            pytest.fail((folder / "kube-apiserver.log").read_text()[-2000:])
        time.sleep(0.5)


@pytest.fixture(scope="session")
def pulumi_environment(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables in which `pulumi` runs with the stand-ins against the API server."""
    folder = tmp_path_factory.mktemp("pulumi")
    provide_programs((programs.PULUMI,), api_server.cache, Progress())
    (folder / "bin").mkdir()
    # The CLI looks for language hosts beside its real file, so it has to be one here.
    (folder / "bin" / "pulumi").hardlink_to(programs.program(api_server.cache, "pulumi"))
    install_plugins(folder / "home", folder / "bin")
    (folder / "backend").mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FLEET_", "PULUMI_"))}
    return {
        **inherited,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(api_server.kubeconfig),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "of a test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
    }
