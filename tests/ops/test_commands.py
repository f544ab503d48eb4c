"""The command line: usage, preconditions and exit codes, before anything is started."""

import base64
import json
from pathlib import Path

import pytest

from app.connections import BrokerTls, read_connections
from fleet.documents import ProducerDocument, load_document
from fleet.errors import FleetError
from ops.__main__ import main
from ops.forwarding import listens
from ops.progress import Progress
from ops.sandbox_cli import command, parse_exports
from ops.shell import fleet_variables, open_shell
from ops.state import forget_context, remember_context, remembered_context, state_folder
from ops.target import Target, open_context
from tests.ops.conftest import Programs


@pytest.mark.parametrize(
    "words", [[], ["fly"], ["demo", "--scale", "0"], ["demo", "--timeout", "soon"], ["up", "--unknown"]], ids=" ".join
)
def test_wrong_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A shell can tell a typing error from a fleet that failed."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: python -m ops" in capsys.readouterr().err


def test_a_cluster_of_ones_own_needs_pulumi(programs: Programs, tmp_path: Path) -> None:
    """What is missing is named before anything else happens."""
    programs.write("kubectl", "")
    with pytest.raises(FleetError, match="`pulumi` is not on PATH"):
        open_context("kind-fleet", {"PATH": f"{programs.folder}:/nonexistent", "FLEET_STATE_DIR": str(tmp_path)})


def test_an_unknown_context_is_named_with_the_known_ones(programs: Programs, tmp_path: Path) -> None:
    """A typing error in CONTEXT= is one line."""
    programs.write("pulumi", "")
    programs.write("kubectl", "print('kind-fleet\\nk3d-test')")
    with pytest.raises(FleetError) as refused:
        open_context("kind-flet", {"PATH": f"{programs.folder}:/usr/bin:/bin", "FLEET_STATE_DIR": str(tmp_path)})
    assert "kind-fleet, k3d-test" in refused.value.fix


def test_a_context_reaches_kubectl_and_the_program(programs: Programs, tmp_path: Path) -> None:
    """Both act on the cluster that was named, and nothing is written into the work tree for it."""
    programs.write("pulumi", "")
    programs.write("kubectl", "print('kind-fleet')")
    target = open_context("kind-fleet", {"PATH": f"{programs.folder}:/usr/bin:/bin", "FLEET_STATE_DIR": str(tmp_path)})
    assert target.environ["FLEET_CONTEXT"] == "kind-fleet"
    assert "FLEET_IMAGES" not in target.environ
    target.kubectl("get", "nodes")
    assert programs.calls("kubectl")[-1][:2] == ["--context", "kind-fleet"]


def test_credentials_are_never_shown(programs: Programs, tmp_path: Path) -> None:
    """The environment holds a passphrase; a traceback or a log of the target does not."""
    programs.write("pulumi", "")
    programs.write("kubectl", "print('own')")
    environ = {
        "PATH": f"{programs.folder}:/usr/bin:/bin",
        "FLEET_STATE_DIR": str(tmp_path),
        "PULUMI_CONFIG_PASSPHRASE": "s3cret",
    }
    assert "s3cret" not in repr(open_context("own", environ))


def test_the_commands_after_up_mean_the_same_cluster(tmp_path: Path) -> None:
    """`make up CONTEXT=x` and then `make status`."""
    folder = state_folder({"FLEET_STATE_DIR": str(tmp_path)})
    assert remembered_context(folder) is None
    remember_context(folder, "kind-fleet")
    assert remembered_context(folder) == "kind-fleet"
    forget_context(folder)
    assert remembered_context(folder) is None


def test_the_sandbox_s_variables_are_read_as_a_shell_reads_them() -> None:
    """Passwords and paths may hold anything."""
    text = "export PATH='/a b:/c'\nexport PASSWORD='it'\"'\"'s = $HOME'\nexport PLAIN=x\n"
    assert parse_exports(text) == {"PATH": "/a b:/c", "PASSWORD": "it's = $HOME", "PLAIN": "x"}


def test_a_second_sandbox_is_named_by_the_environment() -> None:
    """Inside `make shell` every command stays with its sandbox."""
    assert command({"FLEET_SANDBOX_NAME": "other"}, "up")[1:] == ["-m", "sandbox", "up", "--name", "other"]
    assert command({}, "up")[1:] == ["-m", "sandbox", "up"]


def test_the_shell_of_a_context_has_a_kubeconfig_of_its_own(programs: Programs, target: Target, tmp_path: Path) -> None:
    """The literal kubectl means the cluster that was named, and the file goes with the shell."""
    programs.write(
        "kubectl",
        """
if "view" in words: print("of " + words[words.index("--context") + 1])
else: sys.exit("error: no broker here")
""",
    )
    own = Target(
        context="kind-fleet", environ={**target.environ, "SHELL": "/bin/sh"}, plan=target.plan, folder=target.folder
    )
    code = open_shell(own, Progress(), command=f'cat "$KUBECONFIG" > {tmp_path}/seen; exit 7')
    assert (code, (tmp_path / "seen").read_text()) == (7, "of kind-fleet\n")
    assert not list(target.folder.glob("shell-*"))


def write_kubectl(programs: Programs, ports: dict[str, int]) -> None:
    """A cluster whose broker has these ports, and one answer for each kind of Secret."""
    data = {"username": b"me", "password": b"s3cret", "ca.crt": b"an authority"}
    secrets = {key: base64.b64encode(value).decode() for key, value in data.items()}
    results = {"items": [{"data": {"password": base64.b64encode(b"results").decode()}}]}
    service = {"spec": {"ports": [{"name": name, "port": port} for name, port in ports.items()]}}
    programs.write(
        "kubectl",
        f"""
if "port-forward" in words:
    import http.server
    port = int(words[-1].partition(":")[0])
    http.server.HTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler).serve_forever()
if "service" in words: print({json.dumps(service)!r})
else: print({json.dumps(results)!r} if "-l" in words else {json.dumps({"data": secrets})!r})
""",
    )


def test_the_shell_has_the_variables_of_a_pod(programs: Programs, target: Target, tmp_path: Path) -> None:
    """The application runs in the shell as it does in a container: the broker on loopback, the worker's login, the fleet's document."""
    write_kubectl(programs, {"amqp": 5672, "management": 15672, "prometheus": 15692})
    with fleet_variables(target, tmp_path) as variables:
        assert (variables["FLEET_BROKER_USERNAME"], variables["FLEET_BROKER_PASSWORD"]) == ("me", "s3cret")
        assert (variables["FLEET_OPERATOR_USERNAME"], variables["FLEET_OPERATOR_PASSWORD"]) == ("me", "s3cret")
        assert variables["FLEET_RESULTS_PASSWORD"] == "results"
        assert listens(int(variables["FLEET_BROKER_PORT"]))
        assert load_document(Path(variables["FLEET_DOCUMENT"]), ProducerDocument).fleet == "celery-fleet"
        assert read_connections(variables).broker.tls is None
    assert not listens(int(variables["FLEET_BROKER_PORT"]))
    assert "s3cret" not in "".join(file.read_text() for file in tmp_path.glob("*.json"))


def test_the_shell_verifies_a_broker_that_speaks_tls(programs: Programs, target: Target, tmp_path: Path) -> None:
    """By its name in the cluster: the address of a forwarded port stands on no certificate."""
    write_kubectl(programs, {"amqps": 5671, "management-tls": 15671, "prometheus-tls": 15691})
    with fleet_variables(target, tmp_path) as variables:
        authority = tmp_path / "broker-authority.crt"
        assert authority.read_text() == "an authority"
        assert read_connections(variables).broker.tls == BrokerTls(server_name="broker", authority=str(authority))
    assert [":5671" in words[-1] for words in programs.calls("kubectl") if "service/broker" in words] == [True]
