"""What is scanned: what every environment's program registers, and every AWS component with all of its options."""

from tests.infra.aws.samples import AWS_COMPONENTS
from tests.infra.recording import Recorded, record
from tests.stacks.programs import run_stack

ENVIRONMENTS = ("local", "dev", "staging", "prod")

COMPONENTS = "components"
"""Stands among the environments for what no environment of the repository asks for, such as a NAT instance."""


def graphs() -> dict[str, Recorded]:
    """Environment -> its graph, of the repository's own catalogue."""
    found = {name: run_stack(stack=name) for name in ENVIRONMENTS}
    return {**found, COMPONENTS: record(_components)}


def _components() -> None:
    for name, build in AWS_COMPONENTS.items():
        build(name.lower())
