"""Every custom resource against the schema of its upstream definition, where those are at hand."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.infra.recording import Registration, record
from tests.infra.samples import COMPONENTS, sample_plan

DEFINITIONS = Path(__file__).resolve().parents[3] / "shared" / "crds"

pytestmark = pytest.mark.skipif(
    not DEFINITIONS.is_dir(), reason=f"needs upstream's CustomResourceDefinitions in {DEFINITIONS}"
)

GROUPS = ("kubernetes:rabbitmq.com/", "kubernetes:keda.sh/")


@cache
def _schemas() -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for path in DEFINITIONS.glob("*.yaml"):
        definition = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["spec"]
        for version in definition["versions"]:
            key = f"{definition['group']}/{version['name']}", definition["names"]["kind"]
            found[key] = _closed(version["schema"]["openAPIV3Schema"])
    return found


def _closed(schema: Any) -> Any:
    """The schema with unknown fields refused, as server-side apply refuses them, where it does not ask to keep them."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not open_ended:
        closed["additionalProperties"] = False
    return closed


def _custom_resources(environment: str) -> list[Registration]:
    plan = sample_plan(environment)

    def program() -> None:
        for name, build in COMPONENTS.items():
            build(name.lower(), plan)

    return [item for item in record(program).resources if item.typ.startswith(GROUPS)]


def _errors(item: Registration) -> list[str]:
    schema = dict(_schemas()[item.inputs["apiVersion"], item.inputs["kind"]])
    # Definitions say nothing of an object's metadata beyond its type.
    schema["properties"] = {**schema["properties"], "metadata": {"type": "object"}}
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(item.inputs)]


@pytest.mark.parametrize(
    "environment", [pytest.param("local", id="one-broker-node"), pytest.param("prod", id="three-broker-nodes")]
)
def test_custom_resources_satisfy_their_definitions(environment: str) -> None:
    """No field is misspelt, missing or of the wrong type."""
    found = {item.name: errors for item in _custom_resources(environment) if (errors := _errors(item))}
    assert found == {}


def test_the_check_sees_what_it_is_for() -> None:
    """A field that the definition does not know is an error, and a missing one is."""
    item = next(item for item in _custom_resources("local") if item.kind == "Policy")
    item.inputs["spec"]["no-such-field"] = 1
    del item.inputs["spec"]["pattern"]
    assert len(_errors(item)) == 2


def test_all_kinds_are_covered() -> None:
    """Each kind that a fleet uses is checked above."""
    assert {item.kind for item in _custom_resources("prod")} == {
        "Binding", "Exchange", "Permission", "Policy", "Queue", "RabbitmqCluster", "ScaledObject",
        "TriggerAuthentication", "User", "Vhost",
    }  # fmt: skip
