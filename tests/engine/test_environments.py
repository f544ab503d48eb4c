"""dev, staging and prod from nothing to nothing, by the literal `pulumi`, with AWS and the cluster in it stood in for.

Invariant: a stack's committed file is used as it is; what is set here is what its first lines tell a person to set.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.engine.conftest import new_aws_project

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_an_environment_comes_up_stays_as_it_is_and_goes(
    engine_environment: Mapping[str, str], tmp_path: Path, environment: str
) -> None:
    """One `up` makes everything, a second one and a refresh change nothing, and nothing is left at the end."""
    project = new_aws_project(tmp_path, engine_environment, environment)
    project.succeed("preview")
    project.succeed("up", "--yes", "--skip-preview")
    made = project.resources()
    kinds = {urn.split("::")[2].rpartition("$")[2] for urn in made}
    assert {"aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup", "kubernetes:apps/v1:Deployment"} <= kinds
    project.succeed("up", "--yes", "--skip-preview", "--expect-no-changes")
    project.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert project.resources() == made
    if environment != "dev":
        # Its preview refuses: without one, everything up to the first protected resource would go.
        refused = project.pulumi("destroy", "--yes")
        assert refused.returncode != 0
        assert project.resources() == made
        project.configure({"protect": False})
        project.succeed("up", "--yes", "--skip-preview")
    project.succeed("destroy", "--yes", "--skip-preview")
    assert project.resources() == []
