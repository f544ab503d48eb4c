"""What is done for programs with many resources must not change what they register or say."""

import subprocess
import sys

import pulumi
import pytest

from infra.objects import KubernetesObject
from stacks.build import build_stack
from stacks.pace import wait_for_resources
from tests.infra.recording import record
from tests.stacks.programs import loaded


def test_every_component_is_waited_for() -> None:
    """A component that is left out would bring the quadratic wait back without a word."""
    made: list[pulumi.Resource] = []
    known = loaded()

    async def program() -> None:
        made.extend(await build_stack(known))

    recorded = record(program)
    components = [item for item in recorded.resources if item.typ.startswith("celery-fleet:")]
    assert len(made) == len(components)


def test_a_resource_that_fails_is_told_by_the_sdk() -> None:
    """The wait swallows nothing: the program fails with the failure itself."""

    class OnPurposeError(Exception):
        pass

    def program() -> object:
        def fail(_: object) -> str:
            raise OnPurposeError

        first = KubernetesObject("first", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "x"}})
        name = first.metadata.apply(fail)
        second = KubernetesObject(
            "second", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "x", "name": name}}
        )
        return wait_for_resources([first, second])

    with pytest.raises(OnPurposeError):
        record(program)


@pytest.mark.scan
@pytest.mark.parametrize(
    ("asked_for", "lines"), [pytest.param("", 0, id="as-a-rule"), pytest.param("1", 1, id="asked-for")]
)
def test_debug_lines_of_the_sdk_go_out_only_when_they_are_asked_for(asked_for: str, lines: int) -> None:
    """In a process of its own, because the change is the process's."""
    program = (
        "import pulumi, pulumi.log as log\n"
        "from stacks.pace import drop_sdk_debug_lines\n"
        "said = []\n"
        "log.get_engine = lambda: 'engine'\n"
        "log._log = lambda *words: said.append(words)\n"
        f"drop_sdk_debug_lines({{'FLEET_SDK_DEBUG': {asked_for!r}}})\n"
        "pulumi.log.debug('a line'); print(len(said))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == lines
