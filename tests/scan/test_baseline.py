"""The baseline explains what it names, and nothing in it is left over."""

import pytest

from tests.scan.baseline import Row, judge, load_baseline
from tests.scan.checkov import Finding

FOUND = Finding("prod", "CKV_AWS_158", "aws_cloudwatch_log_group.cluster-logs", "encrypted by KMS")


@pytest.mark.parametrize(
    ("row", "unexplained", "stale"),
    [
        pytest.param(Row(check="CKV_AWS_158", resources=("aws_cloudwatch_log_group.*",), reason="r"), 0, 0, id="a-pattern-that-fits"),
        pytest.param(Row(check="CKV_AWS_159", resources=("aws_cloudwatch_log_group.*",), reason="r"), 1, 1, id="another-check"),
        pytest.param(Row(check="CKV_AWS_158", resources=("aws_kms_key.*",), reason="r"), 1, 1, id="another-resource"),
        pytest.param(
            Row(check="CKV_AWS_158", resources=("aws_*.cluster-logs", "aws_kms_key.*"), reason="r"), 0, 1, id="one-pattern-too-many"
        ),
        pytest.param(
            Row(check="CKV_AWS_158", resources=("*",), environments=("dev",), reason="r"), 1, 1, id="another-environment"
        ),
    ],
)  # fmt: skip
def test_findings_are_judged_one_by_one(row: Row, unexplained: int, stale: int) -> None:
    """A row is about a check and resources, and about environments where it says so."""
    judged = judge([FOUND], [row])
    assert (len(judged.unexplained), len(judged.stale)) == (unexplained, stale)


def test_every_decision_has_a_reason() -> None:
    """In a sentence."""
    rows = load_baseline()
    assert [row.check for row in rows if len(row.reason) < 20] == []
