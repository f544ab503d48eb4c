"""What differs between environments, its defaults, and what is said about a wrong setting."""

from pathlib import Path

import pytest

from fleet.environment import default_environment, load_environment, parse_environment
from fleet.errors import CatalogueError

GIB = 2**30
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "startup", "cpu_scale", "load", "spot", "nodes", "cpu", "memory_gib", "node_gib"),
    [
        pytest.param("local", 5, 0.05, 0.25, False, 1, 250, 1, 6, id="local-fits-one-small-node"),
        pytest.param("dev", 75, 1, 1, True, 1, 1000, 2, 28, id="dev-has-one-broker-node"),
        pytest.param("staging", 75, 1, 1, True, 3, 1500, 4, 28, id="staging-has-three"),
        pytest.param("prod", 75, 1, 1, True, 3, 3000, 8, 28, id="prod-has-three-whole-cores-each"),
        pytest.param("lab", 75, 1, 1, True, 1, 1000, 2, 28, id="another-name-starts-from-dev"),
    ],
)
def test_an_environment_that_states_nothing_has_its_defaults(
    *,
    name: str,
    startup: float,
    cpu_scale: float,
    load: float,
    spot: bool,
    nodes: int,
    cpu: int,
    memory_gib: int,
    node_gib: int,
) -> None:
    """The table of the reference, row by row."""
    got = default_environment(name)
    assert (got.name, got.startup_seconds, got.cpu_scale, got.load_factor, got.spot) == (
        name,
        startup,
        cpu_scale,
        load,
        spot,
    )
    assert (got.broker_nodes, got.broker_cpu_millicores, got.broker_memory_bytes) == (nodes, cpu, memory_gib * GIB)
    assert (got.node_memory_bytes, got.minimums) == (node_gib * GIB, {})


def test_what_is_stated_replaces_the_default_and_nothing_else(tmp_path: Path) -> None:
    """Units and camel case as in the catalogue."""
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config:\n  celery-fleet:environment:\n    startup: 10s\n    loadFactor: 2\n    minimums: {mail: 4}\n"
        "    nodeMemory: 60Gi\n    broker: {nodes: 5, cpuMillicores: 2000, memory: 16Gi}\n"
    )
    got = load_environment(tmp_path, "prod")
    assert (got.startup_seconds, got.load_factor, got.minimums) == (10, 2, {"mail": 4})
    assert (got.node_memory_bytes, got.broker_nodes, got.broker_cpu_millicores) == (60 * GIB, 5, 2000)
    assert (got.broker_memory_bytes, got.broker_storage_bytes, got.spot) == (16 * GIB, 100 * GIB, True)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no-file"),
        pytest.param("", id="an-empty-file"),
        pytest.param("config: {}\n", id="no-settings"),
        pytest.param("config:\n  celery-fleet:images: {}\n", id="settings-of-something-else"),
    ],
)
def test_a_stack_without_settings_has_the_defaults(tmp_path: Path, content: str | None) -> None:
    """Nothing has to be stated."""
    if content is not None:
        (tmp_path / "Pulumi.dev.yaml").write_text(content)
    assert load_environment(tmp_path, "dev") == default_environment("dev")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            "startup: 75",
            "Pulumi.dev.yaml:3:5: config.celery-fleet:environment.startup is wrong: 75 has no unit",
            id="a-number-without-a-unit",
        ),
        pytest.param(
            "startupp: 75s", "environment.startupp is no known key\n  Did you mean `startup`?", id="a-misspelt-key"
        ),
        pytest.param("cpuScale: 0", "environment.cpuScale is 0\n  Input should be greater than 0", id="no-cpu-at-all"),
        pytest.param(
            "broker: {nodes: 9}",
            "Pulumi.dev.yaml:3:14: config.celery-fleet:environment.broker.nodes is 9",
            id="too-many-broker-nodes",
        ),
        pytest.param(
            "minimums: {Mail: 1}",
            "environment.minimums.Mail is 'Mail', which does not have the right form",
            id="a-queue-name-that-cannot-be",
        ),
        pytest.param("spot: perhaps", "environment.spot is 'perhaps'", id="a-boolean-that-is-none"),
    ],
)
def test_a_wrong_setting_is_reported_at_its_place(tmp_path: Path, line: str, expected: str) -> None:
    """The stack's file gets the same kind of message as the catalogue."""
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  celery-fleet:environment:\n    {line}\n")
    with pytest.raises(CatalogueError) as caught:
        load_environment(tmp_path, "dev")
    assert expected in str(caught.value)


def test_settings_that_are_no_mapping_are_refused(tmp_path: Path) -> None:
    """A text where keys belong."""
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  celery-fleet:environment: fast\n")
    with pytest.raises(CatalogueError, match=r"Pulumi.dev.yaml:2:3: .* is no mapping"):
        load_environment(tmp_path, "dev")


def test_settings_from_the_engine_name_their_key() -> None:
    """The program gets its settings from Pulumi and has no line to show."""
    with pytest.raises(CatalogueError, match=r"celery-fleet:environment\.startup is wrong"):
        parse_environment("dev", {"startup": 3})


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_the_projects_own_environments_can_be_read(name: str) -> None:
    """What the repository ships is right."""
    assert load_environment(ROOT, name).name == name
