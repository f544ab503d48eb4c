"""From the engine's stream to a plan: what is changed and why, and nothing that is secret."""

import json
from typing import Any

import pytest

from stacks.review.events import Plan, read_plan
from stacks.review.graph import graph_difference
from stacks.review.model import Operation, Step
from stacks.review.versions import versions_of
from tests.stacks.review.samples import BROKER, DEPLOYMENT, SECRET, VPC, change, ended, planned, said

HIDDEN = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}


def only(plan: Plan) -> Step:
    (found,) = plan.steps
    return found


def test_a_replacement_is_one_step_with_its_reason() -> None:
    """The engine tells it three times: its two halves, and what they amount to."""
    told: dict[str, Any] = {
        "old": {"cidrBlock": "10.0.0.0/16"},
        "new": {"cidrBlock": "10.1.0.0/16"},
        "keys": ["cidrBlock"],
    }
    detailed = {"cidrBlock": "update-replace"}
    halves = [
        planned("create-replacement", VPC, "vpc", detailed=detailed, **told),
        planned("replace", VPC, "vpc", detailed=detailed, held={"protect": True}, **told),
        planned("delete-replaced", VPC, "vpc", old={"cidrBlock": "10.0.0.0/16"}),
    ]
    found = only(read_plan(halves))
    assert (found.operation, found.protected) == (Operation.REPLACE, True)
    assert found.changes == (change("cidrBlock", "10.0.0.0/16", "10.1.0.0/16", replaces=True),)


@pytest.mark.parametrize(
    ("old", "new", "detailed", "changes"),
    [
        pytest.param(
            {"spec": {"containers": [{"image": "a"}]}}, {"spec": {"containers": [{"image": "b"}]}},
            {"spec.containers[0].image": "update"}, [("spec.containers[0].image", "a", "b")], id="below-a-list",
        ),
        pytest.param(
            {"data": {"document.json": '{"max": 18, "name": "x"}'}}, {"data": {"document.json": '{"max": 26, "name": "x"}'}},
            {'data["document.json"]': "update-replace"}, [('data["document.json"].max', "18", "26")], id="inside-a-document",
        ),
        pytest.param({"a": "1"}, {"a": "1", "b": 2}, {}, [("b", None, "2")], id="an-engine-that-names-no-path"),
        pytest.param({"a": "1", "b": "x"}, {"a": "2", "b": "y"}, {"a": "update"}, [("a", "1", "2")], id="what-it-ignores-is-left-out"),
        pytest.param(
            {"ref": "image@sha256:1"}, {"ref": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}, {},
            [("ref", "image@sha256:1", "(known after the update)")], id="not-known-yet",
        ),
    ],
)  # fmt: skip
def test_changes_are_told_field_by_field(
    old: dict[str, object], new: dict[str, object], detailed: dict[str, str], changes: list[tuple[str, str, str]]
) -> None:
    """By the leaf that differs, on whichever level the engine names it."""
    found = only(read_plan([planned("update", DEPLOYMENT, "web", old=old, new=new, detailed=detailed)]))
    assert [(item.path, item.before, item.after) for item in found.changes] == changes


@pytest.mark.parametrize(
    ("typ", "old", "new"),
    [
        pytest.param(SECRET, {"stringData": {"p": "hunter2"}}, {"stringData": {"p": "hunter3"}}, id="a-secret-in-clear"),
        pytest.param(SECRET, {"data": HIDDEN}, {"data": {"p": "hunter3"}}, id="what-was-no-secret-before"),
        pytest.param(VPC, {"authToken": "hunter2"}, {"authToken": "hunter3"}, id="by-its-name"),
        pytest.param(DEPLOYMENT, {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}, {"env": []}, id="a-variable"),
        pytest.param(DEPLOYMENT, {"url": "amqp://user:hunter2@broker"}, {"url": "amqp://user:hunter3@other"}, id="in-a-url"),
        pytest.param(DEPLOYMENT, {"key": "AKIAABCDEFGHIJKLMNOP hunter2"}, {"key": "hunter"}, id="the-key-of-an-account"),
        pytest.param(VPC, {"doc": '{"password": "hunter2"}'}, {"doc": '{"password": "hunter3"}'}, id="inside-a-document"),
    ],
)  # fmt: skip
def test_no_secret_is_kept(typ: str, old: dict[str, object], new: dict[str, object]) -> None:
    """Whatever the program forgot to say; that something changed is told all the same."""
    plan = read_plan([planned("update", typ, "it", old=old, new=new)])
    kept = json.dumps([str(plan.steps), str(plan.before), str(plan.after)])
    assert "hunter2" not in kept
    assert "hunter3" not in kept


def test_a_secret_that_changes_is_told_by_its_path() -> None:
    """The engine knows of a change that nobody may see."""
    event = planned(
        "update", SECRET, "it", old={"data": HIDDEN}, new={"data": HIDDEN}, detailed={"data.password": "update"}
    )
    assert [item.path for item in only(read_plan([event])).changes] == ["data.password"]


@pytest.mark.parametrize(
    ("events", "errors", "explained"),
    [
        pytest.param([said("error", "queues.yaml:6:1: wrong")], ["queues.yaml:6:1: wrong"], True, id="the-program-s-own"),
        pytest.param([said("error", "preview failed")], [], False, id="the-engine-s-echo"),
        pytest.param([said("error", "unable to replace resource\nas it is currently marked for protection.")], [], True, id="what-is-protected"),
        pytest.param([said("warning", "a note")], [], False, id="a-warning"),
    ],
)  # fmt: skip
def test_errors_are_told_once(events: list[str], errors: list[str], *, explained: bool) -> None:
    """A refusal to replace what is protected is the step's own; nothing is missing from the plan then."""
    plan = read_plan(events)
    assert (plan.errors, plan.explained) == (errors, explained)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        '{"resourcePreEvent": 3}',
        '{"resourcePreEvent": {"metadata": {"op": "create"}}}',
        "[" * 100_000,
    ],
)
def test_what_is_not_understood_is_passed_over(line: str) -> None:
    """Also what only looks like an event."""
    plan = read_plan([line, ended()])
    assert (plan.steps, plan.finished, plan.policies_ran) == ([], True, True)


def test_the_graph_differs_where_its_shape_does() -> None:
    """A property that changes is no change of the graph."""
    same = planned("update", VPC, "vpc", old={"a": "1"}, new={"a": "2"}, held={"protect": True})
    plan = read_plan([same, planned("create", DEPLOYMENT, "web", new={}), planned("delete", DEPLOYMENT, "old", old={})])
    assert graph_difference(plan.before, plan.after) == (
        "@@ -1,2 +1,2 @@",
        "-old  (kubernetes:apps/v1:Deployment)",
        " vpc  (aws:ec2/vpc:Vpc; protected)",
        "+web  (kubernetes:apps/v1:Deployment)",
    )


def test_versions_are_those_that_resources_state() -> None:
    """Each under the name of its part."""
    plan = read_plan(
        [
            planned("same", "aws:eks/cluster:Cluster", "c", new={"version": "1.36"}),
            planned("same", "kubernetes:helm.sh/v3:Release", "k", new={"chart": "oci://x/karpenter", "version": "1.14.1"}),
            planned("same", BROKER, "b", new={"spec": {"image": "docker.io/library/rabbitmq:4.3.6-management"}}),
            planned(
                "same", "kubernetes:yaml/v2:ConfigFile", "o",
                new={"file": "https://github.com/rabbitmq/cluster-operator/releases/download/v2.21.1/cluster-operator.yml"},
            ),
        ]
    )  # fmt: skip
    assert versions_of(plan.after.values()) == {
        "Kubernetes": "1.36", "RabbitMQ": "4.3.6-management", "chart karpenter": "1.14.1", "cluster-operator": "2.21.1"
    }  # fmt: skip
