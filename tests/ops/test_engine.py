"""Runs of the engine, against a `pulumi` that behaves as the real one was seen to (3.259)."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from ops import engine, recovery
from ops.processes import ProgramError
from ops.progress import Progress
from ops.target import Target
from tests.ops.conftest import Programs

EMPTY = '{"deployment": {}}'
LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
    "lock file with `pulumi cancel`.\\n  file:///state/lock.json: created by root@{host} (pid {pid}) at 2026-01-01T00:00:00Z"
)


def test_a_stack_that_is_not_there_is_made(programs: Programs, target: Target) -> None:
    """The first `make up` needs nothing from the user."""
    programs.write(
        "pulumi",
        """
made = here / "made"
if words[:2] == ["stack", "export"] and not made.exists():
    sys.exit("error: no stack named 'local' found")
if words[:2] == ["stack", "init"]:
    made.touch()
event(summaryEvent={"resourceChanges": {"create": 2}})
""",
    )
    assert engine.deploy(target, Progress()).summary == "2 created"
    assert [call[:2] for call in programs.calls("pulumi")] == [
        ["stack", "export"],
        ["stack", "init"],
        ["up", "--stack"],
    ]


def test_an_up_never_asks_and_never_previews_twice(programs: Programs, target: Target) -> None:
    """`make up` runs without a terminal."""
    programs.write("pulumi", f"print('{EMPTY}')")
    engine.deploy(target, Progress())
    assert {"--yes", "--skip-preview", "--non-interactive"} <= set(programs.calls("pulumi")[-1])


def test_a_failed_run_tells_every_error_with_its_resource(programs: Programs, target: Target) -> None:
    """Nothing has to be looked up in a log."""
    programs.write(
        "pulumi",
        f"""
if words[0] == "up":
    urn = "urn:pulumi:local::p::kubernetes:apps/v1:Deployment::web"
    for text in ("image is missing", "quota is used up"):
        event(diagnosticEvent={{"severity": "error", "message": text, "urn": urn}})
    sys.exit(255)
print('{EMPTY}')
""",
    )
    with pytest.raises(engine.EngineError) as failed:
        engine.deploy(target, Progress())
    assert failed.value.problem == "web (Deployment): image is missing\n  web (Deployment): quota is used up"
    assert "make up" in failed.value.fix


def test_what_the_cli_itself_says_is_told(programs: Programs, target: Target) -> None:
    """An error before the first event is not lost."""
    programs.write("pulumi", f"""if words[0] == "up": sys.exit("error: incorrect passphrase")\nprint('{EMPTY}')""")
    with pytest.raises(engine.EngineError) as failed:
        engine.deploy(target, Progress())
    assert failed.value.problem == "error: incorrect passphrase"


def test_the_lock_of_a_dead_run_is_taken_away(programs: Programs, target: Target, dead_pid: int) -> None:
    """An `up` that was killed does not stand in the way of the next."""
    locked = LOCKED.format(host=os.uname().nodename, pid=dead_pid)
    programs.write(
        "pulumi",
        f"""
if words[0] == "cancel": (here / "cancelled").touch()
elif words[0] == "up" and not (here / "cancelled").exists(): sys.exit("{locked}")
elif words[0] == "up": event(summaryEvent={{"resourceChanges": {{"same": 9}}}})
else: print('{EMPTY}')
""",
    )
    assert engine.deploy(target, Progress()).summary == "9 unchanged"
    assert [call[0] for call in programs.calls("pulumi")] == ["stack", "up", "cancel", "up"]


def test_a_lock_of_another_machine_is_left_alone(programs: Programs, target: Target) -> None:
    """Nobody's running deployment is cancelled."""
    locked = LOCKED.format(host="elsewhere", pid=1)
    programs.write("pulumi", f"""if words[0] == "up": sys.exit("{locked}")\nprint('{EMPTY}')""")
    with pytest.raises(Exception, match="locked by process 1 on elsewhere"):
        engine.deploy(target, Progress())
    assert "cancel" not in [call[0] for call in programs.calls("pulumi")]


def test_an_interrupt_is_passed_on_and_waited_for(programs: Programs, target: Target) -> None:
    """Ctrl-C lets the engine finish what is in flight, so the next run knows the outcome of everything."""
    programs.write(
        "pulumi",
        f"""
if words[0] != "up": print('{EMPTY}'); sys.exit()
def finish(*_):
    time.sleep(0.3)
    (here / "finished").touch()
    sys.exit(1)
signal.signal(signal.SIGINT, finish)
(here / "started").touch()
time.sleep(60)
""",
    )

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=_interrupt_once, args=(programs.folder / "started",))
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            engine.deploy(target, Progress())
    finally:
        thread.join()
        signal.signal(signal.SIGINT, previous)
    assert (programs.folder / "finished").exists()


def _interrupt_once(started: Path) -> None:
    while not started.exists():
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def test_a_bound_ends_a_run_in_order(programs: Programs, target: Target) -> None:
    """`make down` does not wait for ever for a broker that will not drain."""
    programs.write(
        "pulumi",
        f"""
if words[0] != "destroy": print('{EMPTY}'); sys.exit()
signal.signal(signal.SIGINT, lambda *_: sys.exit("error: cancelled"))
time.sleep(60)
""",
    )
    with pytest.raises(engine.EngineError, match="cancelled"):
        engine.destroy(target, Progress(), timeout_seconds=1.0)


def test_a_missing_pulumi_is_said(target: Target) -> None:
    """A message, not a traceback."""
    bare = Target(
        context="own", environ={"PATH": "/nonexistent"}, plan=target.plan, folder=target.folder, root=target.root
    )
    with pytest.raises(ProgramError, match="pulumi is not installed"):
        engine.deploy(bare, Progress())


INPUTS = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "there", "namespace": "fleet"}}


def creating(name: str) -> dict[str, object]:
    return {
        "type": "creating",
        "resource": {
            "urn": f"urn:{name}",
            "type": "kubernetes:apps/v1:Deployment",
            "inputs": {**INPUTS, "metadata": {"name": name, "namespace": "fleet"}},
        },
    }


def test_creations_under_way_are_looked_up_before_the_next_run(programs: Programs, target: Target) -> None:
    """What is in the cluster is taken into the state, what is not is dropped, and an image is simply built again."""
    image = {"type": "creating", "resource": {"urn": "urn:image", "type": "docker-build:index:Image", "inputs": {}}}
    state = {
        "deployment": {
            "resources": [{"urn": "urn:stack"}],
            "pending_operations": [creating("there"), creating("gone"), image],
        }
    }
    live = {
        "kind": "Deployment",
        "spec": {"replicas": 1},
        "metadata": {"managedFields": [{"manager": "pulumi-kubernetes-1a2b"}]},
    }
    programs.write(
        "pulumi",
        f"""
if words[:2] == ["stack", "export"]: print({json.dumps(state)!r})
if words[:2] == ["stack", "import"]: (here / "imported").write_text(sys.stdin.read())
""",
    )
    programs.write("kubectl", f"""if "there" in words: print({json.dumps(live)!r})""")
    engine.ensure_stack(target, Progress())
    deployment = json.loads((programs.folder / "imported").read_text())["deployment"]
    assert deployment["pending_operations"] == []
    assert [resource["urn"] for resource in deployment["resources"]] == ["urn:stack", "urn:there"]
    adopted = deployment["resources"][1]
    assert (adopted["id"], adopted["initErrors"]) == ("fleet/there", ["its creation was interrupted"])
    assert adopted["outputs"] == {
        **live, "__inputs": INPUTS, "__initialApiVersion": "apps/v1", "__fieldManager": "pulumi-kubernetes-1a2b",
    }  # fmt: skip
    assert programs.calls("kubectl")[0][1:4] == ["get", "Deployment.v1.apps", "there"]


def test_an_adopted_secret_keeps_its_contents_out_of_the_state() -> None:
    """Only the inputs, which the engine encrypts, hold a password."""
    inputs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    live = {"kind": "Secret", "data": {"password": "cGxhaW4="}, "metadata": {"name": "s"}}
    assert "cGxhaW4=" not in json.dumps(recovery.adopted_outputs(inputs, live))


def test_a_state_with_nothing_under_way_is_left_alone(programs: Programs, target: Target) -> None:
    """The usual `make up` writes no state by itself."""
    programs.write("pulumi", f"print('{EMPTY}')")
    engine.ensure_stack(target, Progress())
    assert [call[:2] for call in programs.calls("pulumi")] == [["stack", "export"]]
