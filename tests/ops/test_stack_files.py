"""Which stacks a pipeline goes through, and where it looks at each."""

from pathlib import Path

import pytest

from fleet.errors import FleetError
from ops.stack_files import eks_stack, find_stacks, split_stacks
from ops.target import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: celery-fleet\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  celery-fleet:target: eks\n")
    (tmp_path / "Pulumi.eu-prod.yaml").write_text("config:\n  celery-fleet:target: eks\n")
    (tmp_path / "Pulumi.kind.yaml").write_text("")
    return tmp_path


def test_a_new_file_is_a_new_stack(root: Path) -> None:
    """No workflow has a list of its own."""
    assert [(stack.name, stack.target) for stack in find_stacks(root)] == [
        ("dev", "eks"), ("eu-prod", "eks"), ("kind", "existing"), ("local", "existing"),
    ]  # fmt: skip
    assert [stack.name for stack in find_stacks(ROOT)] == ["dev", "local", "prod", "staging"]


@pytest.mark.parametrize(
    ("cloud", "looked_at", "offline"),
    [
        pytest.param("", [], ["dev", "eu-prod", "kind", "local"], id="a-fork-meets-no-account"),
        pytest.param('["dev"]', ["dev"], ["eu-prod", "kind", "local"], id="what-is-not-deployed-yet-is-offline"),
        pytest.param('["eu-prod", "dev"]', ["eu-prod", "dev"], ["kind", "local"], id="both"),
    ],
)
def test_stacks_are_looked_at_in_their_account_where_there_is_one(
    root: Path, cloud: str, looked_at: list[str], offline: list[str]
) -> None:
    """The others with AWS stood in."""
    assert split_stacks(root, cloud) == {"cloud": looked_at, "offline": offline}


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        pytest.param("dev prod", 'CLOUD: is \'dev prod\'\n  Write a JSON list of stacks, such as ["dev", "staging", "prod"].', id="no-json"),
        pytest.param('{"dev": 1}', "Write a JSON list", id="no-list"),
        pytest.param('["prod"]', "STACK=prod: has no file\n  Stacks on EKS: dev, eu-prod.", id="no-such-stack"),
        pytest.param('["local"]', "STACK=local: runs on a cluster that is there already (Pulumi.local.yaml)", id="not-in-aws"),
    ],
)  # fmt: skip
def test_a_wrong_list_is_refused_in_words(root: Path, cloud: str, said: str) -> None:
    """Before any job is started from it."""
    with pytest.raises(FleetError) as refused:
        split_stacks(root, cloud)
    assert said in str(refused.value)


def test_a_file_that_is_no_yaml_is_named(root: Path) -> None:
    """Instead of being left out."""
    (root / "Pulumi.dev.yaml").write_text("config: [")
    with pytest.raises(FleetError, match=r"Pulumi\.dev\.yaml: is no YAML"):
        eks_stack(root, "dev")
