"""A stack on a cluster of one's own: what of the catalogue it cannot do."""

from pathlib import Path

import pytest
import yaml

from stacks.existing import roles_left_out
from tests.fleet.strategies import sample_catalogue
from tests.stacks.programs import loaded


@pytest.mark.parametrize(
    ("stack", "policies", "told"),
    [
        pytest.param("dev", ["mail-templates"], True, id="roles-are-not-made-here"),
        pytest.param("dev", [], False, id="nothing-asked-for"),
        pytest.param("local", ["mail-templates"], False, id="the-plan-has-said-so"),
    ],
)
def test_aws_policies_need_a_cluster_of_the_stacks_own(
    tmp_path: Path, stack: str, policies: list[str], told: bool
) -> None:
    """Tasks that come without their permission fail one by one; better that the deployment says so."""
    raw = sample_catalogue(aws_policies=policies)
    (tmp_path / "queues.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    notes = list(roles_left_out(loaded({}, stack=stack, root=tmp_path)))
    assert [note.split(" ")[0] for note in notes] == (["queues.mail.aws_policies"] if told else [])
