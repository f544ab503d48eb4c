"""The JSON Schema says of a catalogue what the models say."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from fleet.cli import app
from fleet.errors import CatalogueError
from fleet.files import parse_catalogue
from fleet.parsing import parse_source
from fleet.reading import validate_catalogue
from fleet.schema import FILE_NAME, PART_FILE_NAME, catalogue_schema, part_schema
from tests.fleet.strategies import Raw, catalogues, sample_catalogue, sample_queue

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft202012Validator(catalogue_schema())
PART_VALIDATOR = Draft202012Validator(part_schema())

FULL_QUEUE = sample_queue(
    wait={"promise": "1m", "percentile": 99.5},
    memory="100M",
    capacity="spot",
    retries={"max": 3, "on": ["shop.errors.Busy"]},
    priority={"shop.tasks.vip*": 9},
    binds=["mail.#"],
    dead_letter={"keep": "3d", "failed": True},
    depends_on_downstream={"name": "database", "limit": 40},
    schedule=[{"from": "0 8 * * 1-5", "to": "0 18 * * 1-5", "timezone": "Europe/Berlin", "min": 3}],
    requests={"cpu": "1.5", "memory": "1Gi"},
    args={"prefetch_multiplier": 2, "optimization": "fast"},
    replicas={"min": 0, "max": None},
    aws_policies=["mail-templates", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
    pod={
        "secrets": {"DSN": {"secret": "database", "key": "url"}},
        "volumes": [{"name": "scratch", "mount": "/scratch", "emptyDir": "2Gi", "readOnly": False}],
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    },
)


def model_accepts(raw: Any) -> bool:
    """Whether every field is right by itself, as `fleet check` reads it."""
    try:
        catalogue, findings = validate_catalogue(parse_source(yaml.safe_dump(raw, sort_keys=False), "queues.yaml"))
    except CatalogueError:
        return False
    return catalogue is not None and not findings


def schema_accepts(raw: Any) -> bool:
    return not list(VALIDATOR.iter_errors(raw))


def test_the_schema_is_one() -> None:
    """Of the draft that it names; so is that of a part."""
    Draft202012Validator.check_schema(catalogue_schema())
    Draft202012Validator.check_schema(part_schema())


def test_the_file_in_the_repository_is_the_schema_of_the_models() -> None:
    """Editors find it by the first line of the catalogue."""
    assert json.loads((ROOT / FILE_NAME).read_text()) == catalogue_schema()
    assert json.loads((ROOT / PART_FILE_NAME).read_text()) == part_schema()
    assert (ROOT / "queues.yaml").read_text().startswith(f"# yaml-language-server: $schema=./{FILE_NAME}\n")


def test_the_command_prints_and_writes_them(tmp_path: Path) -> None:
    """Beside the catalogue that is named."""
    printed = CliRunner().invoke(app, ["schema"])
    part = CliRunner().invoke(app, ["schema", "--part"])
    written = CliRunner().invoke(app, ["schema", "--write", "-f", str(tmp_path / "queues.yaml")])
    assert (printed.exit_code, part.exit_code, written.exit_code) == (0, 0, 0)
    assert written.stdout.splitlines() == [str(tmp_path / FILE_NAME), str(tmp_path / PART_FILE_NAME)]
    assert (tmp_path / PART_FILE_NAME).read_text() == part.stdout == (ROOT / PART_FILE_NAME).read_text()
    assert (tmp_path / FILE_NAME).read_text() == printed.stdout == (ROOT / FILE_NAME).read_text()


@given(raw=catalogues())
def test_a_right_catalogue_is_right_for_both(raw: Raw) -> None:
    """An editor never underlines what the check accepts."""
    assert schema_accepts(raw)


def test_a_queue_with_every_kind_of_field_is_right_for_both() -> None:
    """Lists, mappings, aliases, units and nulls."""
    raw = {"application": "shop.celery:app", "queues": {"mail": FULL_QUEUE}}
    assert (model_accepts(raw), [error.message for error in VALIDATOR.iter_errors(raw)]) == (True, [])


@pytest.mark.parametrize("field", ["profile", "runtime", "load"])
def test_what_the_defaults_state_a_queue_need_not(field: str) -> None:
    """A required field may stand in either place, or in parts in both."""
    raw = sample_catalogue()
    raw["defaults"] = {field: raw["queues"]["mail"].pop(field)}
    assert (model_accepts(raw), schema_accepts(raw)) == (True, True)


MAIN = {"application": "shop.celery:app", "defaults": {"profile": "io", "load": {"peak": "1/s"}}}


def part_is_right_for(part: Any) -> tuple[bool, bool]:
    """Whether `fleet check` accepts a file beside `MAIN`, and whether its schema does."""
    source = parse_catalogue({"queues.yaml": yaml.safe_dump(MAIN), "queues.d/mail.yaml": yaml.safe_dump(part)})
    catalogue, findings = validate_catalogue(source)
    return catalogue is not None and not findings, not list(PART_VALIDATOR.iter_errors(part))


def test_the_main_file_may_leave_its_queues_to_the_others() -> None:
    """An application and defaults are enough for an editor."""
    assert schema_accepts(MAIN)


@pytest.mark.parametrize("fields", [FULL_QUEUE, {"tasks": ["shop.*"], "runtime": FULL_QUEUE["runtime"]}])
def test_a_part_needs_no_application_and_takes_the_main_files_defaults(fields: Raw) -> None:
    """Defaults of its own may stand there too."""
    part = {"defaults": {"wait": {"promise": "1m"}}, "queues": {"mail": fields}}
    assert part_is_right_for(part) == (True, True)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"application": "a:b", "queues": {"mail": FULL_QUEUE}}, id="a-second-application"),
        pytest.param({"queus": {"mail": FULL_QUEUE}}, id="a-misspelt-key-of-the-file"),
        pytest.param({"queues": {"mail": {**FULL_QUEUE, "profil": "io"}}}, id="a-misspelt-key-of-a-queue"),
        pytest.param({"queues": {"mail": {"runtime": FULL_QUEUE["runtime"]}}}, id="no-tasks"),
        pytest.param({"defaults": {"tasks": ["x"]}, "queues": {"mail": FULL_QUEUE}}, id="default-tasks"),
    ],
)
def test_what_is_wrong_in_a_part_is_wrong_for_both(part: Raw) -> None:
    """An editor underlines what the check would refuse."""
    assert part_is_right_for(part) == (False, False)


def test_a_mapping_may_be_stated_in_parts() -> None:
    """Defaults and queue are merged key by key."""
    raw = sample_catalogue(runtime={"mean": "1s", "p99": "2s"})
    raw["defaults"] = {"runtime": {"limit": "10s"}}
    assert (model_accepts(raw), schema_accepts(raw)) == (True, True)


def changed(path: str, value: Any = None) -> Raw:
    """The catalogue of one queue with a value in another place, or without what stands there."""
    raw = copy.deepcopy({**sample_catalogue(), "queues": {"mail": copy.deepcopy(FULL_QUEUE)}})
    *parents, last = path.split("/")
    inner: Any = raw
    for part in parents:
        inner = inner[int(part) if isinstance(inner, list) else part]
    key = int(last) if isinstance(inner, list) else last
    if value is None:
        del inner[key]
    else:
        inner[key] = value
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(changed("application"), id="no-application"),
        pytest.param(changed("application", "shop"), id="an-application-without-an-attribute"),
        pytest.param(changed("queue", {}), id="a-misspelt-key-of-the-file"),
        pytest.param(changed("queues", {}), id="no-queues"),
        pytest.param(changed("queues/Mail", sample_queue()), id="a-capital-in-a-name"),
        pytest.param(changed("queues/mail.high", sample_queue()), id="a-dot-in-a-name"),
        pytest.param(changed(f"queues/{'m' * 41}", sample_queue()), id="a-name-that-is-too-long"),
        pytest.param(changed("queues/mail/tasks"), id="no-tasks"),
        pytest.param(changed("queues/mail/tasks", []), id="an-empty-list-of-tasks"),
        pytest.param(changed("queues/mail/tasks/0", "shop tasks"), id="a-space-in-a-pattern"),
        pytest.param(changed("queues/mail/profile", "gpu"), id="an-unknown-profile"),
        pytest.param(changed("queues/mail/profile"), id="no-profile"),
        pytest.param(changed("queues/mail/runtime/limit"), id="no-limit"),
        pytest.param(changed("queues/mail/runtime/limits", "3s"), id="a-misspelt-key-below-a-queue"),
        pytest.param(changed("queues/mail/runtime/mean", 3), id="a-duration-without-a-unit"),
        pytest.param(changed("queues/mail/runtime/mean", "3 parsecs"), id="an-unknown-unit"),
        pytest.param(changed("queues/mail/load/peak", "20"), id="a-rate-without-a-time"),
        pytest.param(changed("queues/mail/memory", "60MB"), id="an-unknown-size"),
        pytest.param(changed("queues/mail/requests/cpu", "half"), id="no-cpu"),
        pytest.param(changed("queues/mail/wait/percentile", 100), id="all-of-them"),
        pytest.param(changed("queues/mail/shards", 33), id="too-many-shards"),
        pytest.param(changed("queues/mail/replicas/min", -1), id="fewer-than-none"),
        pytest.param(changed("queues/mail/capacity", "free"), id="an-unknown-capacity"),
        pytest.param(changed("queues/mail/pool", "eventlet"), id="an-unknown-pool"),
        pytest.param(changed("queues/mail/retries/max"), id="retries-without-a-maximum"),
        pytest.param(changed("queues/mail/priority", {"shop.tasks.x": 32}), id="a-priority-that-is-too-high"),
        pytest.param(changed("queues/mail/priority", {"shop tasks": 3}), id="a-priority-of-no-pattern"),
        pytest.param(changed("queues/mail/binds/0", "mail..#"), id="no-routing-pattern"),
        pytest.param(changed("queues/mail/schedule/0/from"), id="a-window-without-a-beginning"),
        pytest.param(changed("queues/mail/pod/volumes/0/mount", "scratch"), id="a-relative-mount"),
        pytest.param(changed("queues/mail/pod/secrets/DSN/key"), id="a-secret-without-a-key"),
        pytest.param(changed("queues/mail/pod/env", {"1ST": "x"}), id="no-name-of-a-variable"),
        pytest.param(changed("queues/mail/idempotent", "perhaps"), id="no-boolean"),
        pytest.param({**sample_catalogue(), "defaults": {"tasks": ["x"]}}, id="default-tasks"),
        pytest.param({**sample_catalogue(), "defaults": {"prfile": "io"}}, id="a-misspelt-default"),
        pytest.param([], id="no-mapping-at-all"),
    ],
)
def test_what_is_wrong_is_wrong_for_both(raw: Any) -> None:
    """An editor underlines what the check would refuse."""
    assert (model_accepts(raw), schema_accepts(raw)) == (False, False)
