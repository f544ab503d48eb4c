"""A fleet that runs, as a person at a shell sees it: through `kubectl`, `pulumi` and the web layer's HTTP.

Invariant: nothing here reaches round those three, and every wait is bounded and says what it waited for and what it saw instead.
Facts: the names of objects are those that `infra/` deploys; the environment is that of `make shell`.
"""

import base64
import json
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from ops.target import open_sandbox

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

FLEET = "celery-fleet"
STACK = "local"
POLL_SECONDS = 1.0
COMMAND_SECONDS = 300.0
"""Longest time that one command of a settled fleet may take."""

T = TypeVar("T")


def sandbox_environment() -> dict[str, str]:
    """The variables of `make shell` against the running sandbox.

    Raises: FleetError when no sandbox runs.
    """
    return dict(open_sandbox().environ)


def eventually(
    look: Callable[[], T | None], *, within_seconds: float, waiting_for: str, every_seconds: float = POLL_SECONDS
) -> T:
    """The first answer of `look` that is not None.

    Raises: AssertionError after `within_seconds`, with what was waited for.
    """
    end = time.monotonic() + within_seconds
    while True:
        seen = look()
        if seen is not None:
            return seen
        if time.monotonic() >= end:
            raise AssertionError(f"{within_seconds:g} s were not enough for: {waiting_for}")
        time.sleep(every_seconds)


class PortForward:
    """A `kubectl port-forward` to one service of the fleet, begun when first needed and again when its pod was replaced."""

    def __init__(self, environment: Mapping[str, str], namespace: str, target: str, port: int) -> None:
        self._command = [
            "kubectl",
            "--namespace",
            namespace,
            "port-forward",
            "--address",
            "127.0.0.1",
            target,
            f":{port}",
        ]
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None
        self._address = ""

    def address(self) -> str:
        """`http://127.0.0.1:port` of a forward whose process lives."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                self._command, env=dict(self._environment), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert found, f"{shlex.join(self._command)} said: {line}"
            self._address = f"http://127.0.0.1:{found[1]}"
            # It writes a line for each connection; a full pipe would stop it.
            self._drain = threading.Thread(target=self._process.stdout.read, daemon=True)
            self._drain.start()
        return self._address

    def close(self) -> None:
        """Ends the process; the next `address` begins another."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._drain is not None:
                self._drain.join()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


@dataclass(kw_only=True)
class RunningFleet:
    """One fleet in one cluster, with the three ways to reach it."""

    environment: Mapping[str, str]
    project: Path = ROOT
    """Folder of the `Pulumi.yaml`."""
    stack: str = STACK
    namespace: str = FLEET
    _forward: PortForward | None = field(default=None, init=False)

    # The cluster

    def kubectl(self, *arguments: str, check: bool = True, timeout: float = 60, stdin: str | None = None) -> str:
        """What `kubectl` prints in the fleet's namespace."""
        done = subprocess.run(
            ["kubectl", "--namespace", self.namespace, *arguments], input=stdin,
            env=dict(self.environment), capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"kubectl {shlex.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def objects(self, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        """The objects of some kinds (comma-separated) in the fleet's namespace."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", kinds, *arguments, "-o", "json"))["items"]
        return items

    def secret(self, name: str) -> dict[str, str]:
        """The values of a Secret in the fleet's namespace, by key."""
        data = json.loads(self.kubectl("get", "secret", name, "-o", "json"))["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def replicas(self) -> dict[str, int]:
        """Worker Deployment -> the replicas its autoscaler wants now."""
        return {
            item["metadata"]["name"]: item["spec"].get("replicas", 1)
            for item in self.objects("deployments.apps", "-l", "app.kubernetes.io/component=worker")
        }

    def minimums(self) -> dict[str, int]:
        """Worker Deployment -> the minimum of its ScaledObject."""
        return {
            item["spec"]["scaleTargetRef"]["name"]: item["spec"].get("minReplicaCount", 0)
            for item in self.objects("scaledobjects.keda.sh")
        }

    def wait_until_at_minimum(self, *, within_seconds: float = 300) -> None:
        """Returns when every worker Deployment has the minimum of its ScaledObject, in wish and in pods."""
        minimums = self.minimums()
        seen: dict[str, tuple[int, int]] = {}

        def look() -> bool | None:
            for item in self.objects("deployments.apps", "-l", "app.kubernetes.io/component=worker"):
                pods = item.get("status", {}).get("replicas", 0)
                seen[item["metadata"]["name"]] = (item["spec"].get("replicas", 1), pods)
            return True if seen == {name: (low, low) for name, low in minimums.items()} else None

        try:
            eventually(look, within_seconds=within_seconds, waiting_for="every queue at its minimum", every_seconds=2)
        except AssertionError as late:
            raise AssertionError(f"{late}; minimums {minimums}, (wanted, pods) {seen}") from None

    # The program

    def pulumi(
        self, *arguments: str, timeout: float = COMMAND_SECONDS, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`pulumi` in the project's folder on the fleet's stack; the caller judges the exit code."""
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments, "--stack", self.stack], cwd=self.project,
            env={**self.environment, **(environment or {})}, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    # The web layer

    def http(self) -> httpx.Client:
        """A client whose base is the web layer."""
        if self._forward is None:
            self._forward = PortForward(self.environment, self.namespace, "service/web", 80)
        return httpx.Client(base_url=self._forward.address(), timeout=15)

    def enqueue(self, task: str, *args: Any, **body: Any) -> str:
        """The id of a task that the web layer accepted."""
        with self.http() as client:
            return enqueue(client, task, *args, **body)

    def result(self, task_id: str, *, within_seconds: float) -> dict[str, Any]:
        """The answer about a finished task."""
        with self.http() as client:

            def look() -> dict[str, Any] | None:
                answer = client.get(f"/tasks/{task_id}")
                assert answer.status_code in {200, 202}, f"GET /tasks/{task_id}: {answer.status_code} {answer.text}"
                return answer.json() if answer.status_code == 200 else None

            return eventually(look, within_seconds=within_seconds, waiting_for=f"the result of task {task_id}")

    def close(self) -> None:
        """Ends what this handle started."""
        if self._forward is not None:
            self._forward.close()
            self._forward = None


def enqueue(client: httpx.Client, task: str, *args: Any, **body: Any) -> str:
    """The id of a task that the web layer accepted."""
    answer = client.post(f"/tasks/{task}", json={"args": list(args), **body})
    assert answer.status_code == 202, f"POST /tasks/{task}: {answer.status_code} {answer.text}"
    return str(answer.json()["id"])


@contextmanager
def running_fleet(environment: Mapping[str, str], **fields: Any) -> Iterator[RunningFleet]:
    """A handle on a fleet that is up; what the handle started ends with the block."""
    fleet = RunningFleet(environment=environment, **fields)
    try:
        yield fleet
    finally:
        fleet.close()
