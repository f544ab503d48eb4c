"""What is scanned: what every environment's program registers, and every AWS component with all of its options."""

from tests.infra.aws.samples import AWS_COMPONENTS
from tests.infra.recording import Recorded, record
from tests.stacks.programs import EKS_STACKS, eks_graph, run_stack

COMPONENTS = "components"
"""Stands among the environments for what no environment of the repository asks for, such as a NAT instance."""


def graphs() -> dict[str, Recorded]:
    """Environment -> its graph, of the repository's own catalogue."""
    found = {name: eks_graph(name) for name in EKS_STACKS}
    return {"local": run_stack(), **found, COMPONENTS: record(_components)}


def _components() -> None:
    for name, build in AWS_COMPONENTS.items():
        build(name.lower())
