"""The scale-in controller: which costs are decided, what is asked of whom, and what it does while nobody answers."""

import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from app.scale_in.__main__ import pause_seconds, refresh_costs, run
from app.scale_in.api import ApiError, ApiServer, UnreachableError, find_api_server, open_pods, ready_pods
from app.scale_in.asking import ask_busy
from app.scale_in.deciding import WorkerPod, new_costs
from app.worker.health import HealthFiles, judge
from fleet.documents import ScaleInDocument
from fleet.errors import FleetError
from tests.app.certificates import self_signed

COST = "controller.kubernetes.io/pod-deletion-cost"
LOCAL = "127.0.0.1"


def pods(replica_set: str = "one", /, **costs: int) -> list[WorkerPod]:
    return [WorkerPod(name=name, replica_set=replica_set, address=LOCAL, cost=cost) for name, cost in costs.items()]


@pytest.mark.parametrize(
    ("costs", "busy", "written"),
    [
        pytest.param({"a": 0, "b": 0}, {"a": 0, "b": 1}, {"b": 1}, id="the-busy-one-of-two"),
        pytest.param({"a": 1, "b": 0}, {"a": 0, "b": 1}, {"a": 0, "b": 1}, id="they-changed-places"),
        pytest.param({"a": 0, "b": 0}, {"a": 0, "b": 0}, {}, id="all-are-idle"),
        pytest.param({"a": 3, "b": 0}, {"a": 0, "b": 0}, {}, id="all-are-idle-whatever-they-were"),
        pytest.param({"a": 0, "b": 0}, {"a": 2, "b": 2}, {}, id="all-are-busy"),
        pytest.param({"a": 0, "b": 1}, {"a": 0, "b": 1}, {}, id="nothing-changed"),
        pytest.param({"a": 0, "b": 4}, {"a": 1, "b": 3}, {}, id="the-order-is-right-already"),
        pytest.param({"a": 0, "b": 4, "c": 4}, {"a": 1, "b": 3, "c": 4}, {"a": 1, "b": 3}, id="two-that-differ-cost-the-same"),
        pytest.param({"a": 0, "b": 0, "c": 0}, {"a": 0, "b": 1}, {"b": 1}, id="one-does-not-answer"),
        pytest.param({"a": 7, "b": 0}, {"b": 1}, {}, id="only-one-answers"),
        pytest.param({"a": 7}, {"a": 0}, {}, id="a-single-pod"),
        pytest.param({}, {}, {}, id="no-pod"),
    ],
)  # fmt: skip
def test_a_pod_costs_its_busy_slots_where_that_decides_something(
    costs: dict[str, int], busy: dict[str, int], written: dict[str, int]
) -> None:
    """Only where pods differ, and only what is new."""
    assert new_costs(pods(**costs), busy) == written


def test_pods_are_compared_within_their_replica_set() -> None:
    """Two queues, or the old and the new version of one, are never chosen from together."""
    both = [*pods("one", a=0), *pods("two", b=0)]
    assert new_costs(both, {"a": 0, "b": 1}) == {}


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[WorkerPod], dict[str, int]]:
    found = [
        WorkerPod(
            name=f"pod-{number}",
            replica_set=draw(st.sampled_from(["one", "two"])),
            address=LOCAL,
            cost=draw(st.integers(-3, 5)),
        )
        for number in range(draw(st.integers(0, 8)))
    ]
    return found, {pod.name: draw(st.integers(0, 4)) for pod in found if draw(st.booleans())}


def applied(found: list[WorkerPod], written: dict[str, int]) -> list[WorkerPod]:
    return [
        WorkerPod(name=pod.name, replica_set=pod.replica_set, address=pod.address, cost=written.get(pod.name, pod.cost))
        for pod in found
    ]


@given(fleets())
def test_the_busier_of_two_pods_costs_more(fleet: tuple[list[WorkerPod], dict[str, int]]) -> None:
    """Of every two of a ReplicaSet that answered."""
    before, busy = fleet
    after = [pod for pod in applied(before, new_costs(before, busy)) if pod.name in busy]
    for idler in after:
        for busier in after:
            if idler.replica_set == busier.replica_set and busy[idler.name] < busy[busier.name]:
                assert idler.cost < busier.cost


@given(fleets())
def test_a_second_look_at_the_same_writes_nothing(fleet: tuple[list[WorkerPod], dict[str, int]]) -> None:
    """So a fleet whose tasks are long is written to when one starts or ends, and not every 15 s."""
    before, busy = fleet
    assert new_costs(applied(before, new_costs(before, busy)), busy) == {}


@given(fleets())
def test_only_what_answered_is_written_and_only_what_is_new(fleet: tuple[list[WorkerPod], dict[str, int]]) -> None:
    """A pod that is silent keeps its cost; a write changes something."""
    before, busy = fleet
    costs = {pod.name: pod.cost for pod in before}
    for name, cost in new_costs(before, busy).items():
        assert cost == busy[name] != costs[name]


def listed(name: str, **changes: Any) -> dict[str, Any]:
    """A ready pod as the API server lists it, with what is not asked for beside."""
    pod: dict[str, dict[str, Any]] = {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "labels": {"celery-fleet/queue": "render"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "render-1", "uid": "set-1", "controller": True}],
            "annotations": {},
        },
        "spec": {"containers": []},
        "status": {
            "phase": "Running",
            "podIP": LOCAL,
            "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
        },
    }
    return {**pod, **{part: {**pod[part], **fields} for part, fields in changes.items()}}


def as_list(*items: dict[str, Any]) -> bytes:
    return json.dumps({"kind": "PodList", "metadata": {"resourceVersion": "7"}, "items": items}).encode()


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        pytest.param({}, 0, id="no-cost-is-none"),
        pytest.param({"metadata": {"annotations": {COST: "3"}}}, 3, id="a-cost"),
        pytest.param({"metadata": {"annotations": {COST: "-2"}}}, -2, id="somebody-elses-negative-cost"),
        pytest.param({"metadata": {"annotations": {COST: "much"}}}, 0, id="no-number-is-none"),
        pytest.param({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, None, id="not-ready"),
        pytest.param({"status": {"conditions": []}}, None, id="not-started"),
        pytest.param({"status": {"podIP": ""}}, None, id="without-an-address"),
        pytest.param({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, None, id="being-stopped"),
        pytest.param({"metadata": {"ownerReferences": []}}, None, id="nobodys"),
    ],
)
def test_the_pods_that_a_cost_decides_about_are_read(changes: dict[str, Any], cost: int | None) -> None:
    """Those that are not ready go first anyway, and one that goes is not chosen twice."""
    found = ready_pods(as_list(listed("a", **changes)))
    expected = [] if cost is None else [WorkerPod(name="a", replica_set="set-1", address=LOCAL, cost=cost)]
    assert found == expected


@dataclass
class Told:
    """A server, and what it was asked."""

    port: int = 0
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


Answers = Callable[[str, str], tuple[int, bytes]]
"""Method and path -> status and body."""


@contextmanager
def answering(answers: Answers, certificate: Path | None = None) -> Iterator[Told]:
    """A server of HTTP, or of HTTPS, that answers so."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            told.asked.append((self.command, self.path, dict(self.headers), body))
            status, text = answers(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PATCH = _answer  # noqa: N815 -- the names are the library's

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((LOCAL, 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        pytest.param(200, b'{"queue":"render","shard":"render","pod":"a","busy":2,"slots":4}', {"a": 2}, id="busy"),
        pytest.param(200, b'{"pod":"a","busy":0}', {"a": 0}, id="idle"),
        pytest.param(200, b'{"pod":"b","busy":2}', {}, id="another-pod-at-its-address"),
        pytest.param(200, b'{"pod":"a","busy":"two"}', {}, id="no-number"),
        pytest.param(200, b'{"pod":"a","busy":-1}', {}, id="less-than-none"),
        pytest.param(200, b"busy", {}, id="no-json"),
        pytest.param(200, b" " * 10_000, {}, id="too-much"),
        pytest.param(404, b'{"pod":"a","busy":2}', {}, id="not-there"),
    ],
)
def test_a_worker_is_asked_for_its_busy_slots(status: int, body: bytes, found: dict[str, int]) -> None:
    """What is no answer is none."""
    with answering(lambda *_: (status, body)) as worker:
        assert ask_busy(pods(a=0), port=worker.port) == found
    assert [(method, path) for method, path, *_ in worker.asked] == [("GET", "/busy")]


def test_a_worker_that_is_gone_is_left_out() -> None:
    """A port that nobody listens on."""
    with answering(lambda *_: (200, b"")) as worker:
        port = worker.port
    assert ask_busy(pods(a=0), port=port) == {}
    assert ask_busy([], port=port) == {}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """What the kubelet mounts, for a server at the address of this machine."""
    certificate = self_signed(tmp_path, x509.IPAddress(ip_address(LOCAL)), name="api")
    (tmp_path / "ca.crt").write_bytes(certificate.read_bytes().partition(b"-----END PRIVATE KEY-----\n")[2])
    (tmp_path / "token").write_text("token-1\n")
    return tmp_path


def at(told: Told, account: Path) -> ApiServer:
    return ApiServer(host=LOCAL, port=told.port, account=account)


def test_the_pods_of_the_named_queues_are_listed(account: Path) -> None:
    """By the fleet's labels, from the API server's memory, with the pod's token."""
    with (
        answering(lambda *_: (200, as_list(listed("a"))), account / "api.pem") as told,
        open_pods(at(told, account), "shop") as api,
    ):
        assert [pod.name for pod in api.of_queues("shop", ["render", "train"])] == ["a"]
    [(method, path, headers, body)] = told.asked
    assert (method, body) == ("GET", b"")
    assert path == (
        "/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io%2Fpart-of%3Dshop%2Capp.kubernetes.io%2Fcomponent%3Dworker"
        "%2Ccelery-fleet%2Fqueue+in+%28render%2Ctrain%29&resourceVersion=0"
    )
    assert headers["Authorization"] == "Bearer token-1"


def test_a_cost_is_one_annotation_of_one_pod(account: Path) -> None:
    """Nothing else of it is touched; a pod that is gone needs no cost."""
    statuses = {"/api/v1/namespaces/shop/pods/gone?fieldManager=celery-fleet-scale-in": 404}
    with (
        answering(lambda _, path: (statuses.get(path, 200), b"{}"), account / "api.pem") as told,
        open_pods(at(told, account), "shop") as api,
    ):
        api.write_cost("a", 3)
        api.write_cost("gone", 1)
    method, path, headers, body = told.asked[0]
    assert (method, path) == ("PATCH", "/api/v1/namespaces/shop/pods/a?fieldManager=celery-fleet-scale-in")
    assert headers["Content-Type"] == "application/merge-patch+json"
    assert json.loads(body) == {"metadata": {"annotations": {COST: "3"}}}
    assert len(told.asked) == 2


def test_a_token_that_the_kubelet_replaced_is_the_one_that_is_shown(account: Path) -> None:
    """It is read for each round."""
    with answering(lambda *_: (200, as_list()), account / "api.pem") as told:
        for number in (1, 2):
            (account / "token").write_text(f"token-{number}")
            with open_pods(at(told, account), "shop") as api:
                api.of_queues("shop", ["render"])
    assert [headers["Authorization"] for _, _, headers, _ in told.asked] == ["Bearer token-1", "Bearer token-2"]


def test_a_refusal_is_told_in_the_api_servers_words(account: Path) -> None:
    """And without the token."""
    refusal = json.dumps({"kind": "Status", "message": 'pods is forbidden: User "scale-in" cannot list'}).encode()
    with (
        answering(lambda *_: (403, refusal), account / "api.pem") as told,
        open_pods(at(told, account), "shop") as api,
        pytest.raises(ApiError) as refused,
    ):
        api.of_queues("shop", ["render"])
    assert str(refused.value) == 'answers 403: pods is forbidden: User "scale-in" cannot list'
    assert not isinstance(refused.value, UnreachableError)


@pytest.mark.parametrize("other", ["another-authority", "another-name"])
def test_an_api_server_that_proves_nothing_hears_no_token(account: Path, other: str) -> None:
    """Its certificate has to be from the cluster's authority, and for the address that is asked."""
    name: x509.GeneralName = x509.IPAddress(ip_address(LOCAL)) if other == "another-authority" else x509.DNSName("api")
    certificate = self_signed(account, name, name="other")
    if other == "another-name":
        (account / "ca.crt").write_bytes(certificate.read_bytes().partition(b"-----END PRIVATE KEY-----\n")[2])
    with (
        answering(lambda *_: (200, as_list()), certificate) as told,
        open_pods(at(told, account), "shop") as api,
        pytest.raises(UnreachableError, match="CERTIFICATE"),
    ):
        api.of_queues("shop", ["render"])
    assert told.asked == []


def test_without_an_account_nothing_is_asked(tmp_path: Path) -> None:
    with (
        pytest.raises(UnreachableError, match="no token"),
        open_pods(ApiServer(host=LOCAL, port=1, account=tmp_path), ""),
    ):
        pass


def test_the_api_server_is_where_the_kubelet_says() -> None:
    """Outside a pod that is a mistake, with what to do."""
    found = find_api_server({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"})
    assert (found.host, found.port) == ("10.0.0.1", 6443)
    with pytest.raises(FleetError, match="Run it in a pod"):
        find_api_server({})


def test_a_cost_that_is_refused_holds_up_no_other(account: Path) -> None:
    """A round writes what it can, and then tells."""
    document = ScaleInDocument(fleet="shop", queues=("render",))
    items = [listed(name, metadata={"annotations": {COST: "9"}}) for name in ("a", "b", "c")]

    def answer(method: str, path: str) -> tuple[int, bytes]:
        return (200, as_list(*items)) if method == "GET" else (500 if "/a?" in path else 200, b"{}")

    with answering(answer, account / "api.pem") as told, pytest.raises(ApiError, match="answers 500"):
        refresh_costs(at(told, account), document, ask=lambda _: {"a": 0, "b": 1, "c": 2})
    assert [path.rpartition("/")[2][0] for method, path, *_ in told.asked if method == "PATCH"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        pytest.param(0, 15, id="every-fifteen-seconds"),
        pytest.param(1, 30, id="after-a-failure"),
        pytest.param(2, 60, id="after-two"),
        pytest.param(3, 60, id="never-longer-than-a-minute"),
        pytest.param(10_000, 60, id="however-many"),
    ],
)
def test_rounds_that_fail_come_less_often(failures: int, seconds: int) -> None:
    assert pause_seconds(failures) == seconds


def test_an_outage_is_told_once_and_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It lives, is not ready meanwhile, and says when it goes on."""
    caplog.set_level(logging.INFO)
    outcomes: list[Exception | None] = [None, ApiError("is away"), ApiError("is away"), ApiError("refuses"), None]
    seen: list[tuple[bool, bool, float]] = []

    def refresh() -> None:
        if (outcome := outcomes[len(seen)]) is not None:
            raise outcome

    def wait(seconds: float) -> bool:
        now = float((tmp_path / "alive").read_text())
        seen.append((judge("live", tmp_path, now) is None, judge("ready", tmp_path, now) is None, seconds))
        return len(seen) == len(outcomes)

    run(refresh, HealthFiles(tmp_path), wait)
    assert seen == [(True, True, 15), (True, False, 30), (True, False, 60), (True, False, 60), (True, True, 15)]
    assert [record.getMessage() for record in caplog.records] == [
        "costs are not refreshed: the API server is away",
        "costs are not refreshed: the API server refuses",
        "costs are refreshed again, after 3 rounds that failed",
    ]
