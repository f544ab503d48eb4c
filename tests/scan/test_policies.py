"""checkov over everything that the programs would make: nothing is found that is not meant."""

import os
from pathlib import Path

import pulumi_aws as aws
import pytest

from infra.objects import KubernetesObject
from tests.infra.recording import Recorded, record
from tests.scan.baseline import Judged, judge, load_baseline
from tests.scan.checkov import PYTHON_VARIABLE, Scan, scan
from tests.scan.environments import graphs
from tests.scan.findings import count_unexplained

pytestmark = pytest.mark.scan


@pytest.fixture(scope="module")
def recorded() -> dict[str, Recorded]:
    """What is scanned."""
    return graphs()


@pytest.fixture(scope="module")
def scanned(recorded: dict[str, Recorded], tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """One run over all environments."""
    return scan(recorded, tmp_path_factory.mktemp("scan"), os.environ[PYTHON_VARIABLE])


@pytest.fixture(scope="module")
def judged(scanned: Scan) -> Judged:
    """What was found, beside the baseline."""
    return judge(scanned.findings, load_baseline())


def test_every_finding_is_explained(judged: Judged) -> None:
    """Either it is put right, or `baseline.yaml` says why it is meant."""
    assert [str(finding) for finding in judged.unexplained] == []


def test_every_explanation_is_needed(judged: Judged) -> None:
    """A row that explains nothing would hide the next finding of its kind."""
    assert list(judged.stale) == []


def test_the_figure_of_the_bench_counts_nothing_else(recorded: dict[str, Recorded], scanned: Scan) -> None:
    """`findings_unexplained`: these findings, and what the schemas of Kubernetes and of the operators refuse."""
    assert count_unexplained(recorded, scanned) == 0


def test_both_kinds_of_resources_were_read(scanned: Scan) -> None:
    """A scanner that recognises nothing finds nothing."""
    assert scanned.passed["terraform_plan"] > 100
    assert scanned.passed["kubernetes"] > 1000


def test_the_scanner_sees_what_is_wrong(tmp_path: Path) -> None:
    """A key without rotation, an endpoint that is open to all and a privileged pod, under the names that the program gave them."""

    def program() -> None:
        aws.kms.Key("key", description="of a test")
        aws.eks.Cluster(
            "cluster", role_arn="arn:aws:iam::123456789012:role/cluster",
            vpc_config={"subnet_ids": ["subnet-1"], "endpoint_public_access": True, "public_access_cidrs": ["0.0.0.0/0"]},
        )  # fmt: skip
        container = {"name": "one", "image": "one:1.0", "securityContext": {"privileged": True}}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": "fleet"},
            "spec": {"containers": [container]},
        }
        KubernetesObject("pod", pod)

    found = scan({"test": record(program)}, tmp_path, os.environ[PYTHON_VARIABLE]).findings
    seen = {(item.environment, item.check, item.resource) for item in found}
    assert seen >= {
        ("test", "CKV_AWS_7", "aws_kms_key.key"),
        ("test", "CKV_AWS_38", "aws_eks_cluster.cluster"),
        ("test", "CKV_K8S_16", "Pod.fleet.pod"),
    }
