"""The sandbox's Prometheus: which objects it is made of, and that it reads what it is given."""

import json
from typing import Any

from sandbox.images import IMAGES, PROMETHEUS
from sandbox.monitoring import manifests
from tests.infra.kubernetes_schemas import kubernetes_errors

FILES = {"scrape": {"scrape.yaml": "scrape_configs: []"}, "rules": {"a.yaml": "groups: []"}}


def _one(made: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    [found] = [item for item in made if item["kind"] == kind]
    return found


def _mounted(made: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Volume -> name of a file -> text, of those whose files come from ConfigMaps."""
    held = {item["metadata"]["name"]: item["data"] for item in made if item["kind"] == "ConfigMap"}
    return {
        volume["name"]: {
            name: text
            for source in volume["projected"]["sources"]
            for name, text in held[source["configMap"]["name"]].items()
        }
        for volume in _one(made, "Deployment")["spec"]["template"]["spec"]["volumes"]
        if "projected" in volume
    }


def test_every_object_is_one_that_kubernetes_takes() -> None:
    """By its own schemas."""
    assert [error for item in manifests(FILES) for error in kubernetes_errors(item, "1.36")] == []


def test_it_finds_each_file_where_its_settings_look() -> None:
    """Every folder is mounted below the one that the settings name."""
    made = manifests(FILES)
    pod = _one(made, "Deployment")["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    found = _mounted(made)
    settings = json.loads(found.pop("settings")["prometheus.yml"])
    assert settings["scrape_config_files"] == [f"{mounts['scrape']}/*.yaml"]
    assert settings["rule_files"] == [f"{mounts['rules']}/*.yaml"]
    assert f"--config.file={mounts['settings']}/prometheus.yml" in pod["containers"][0]["args"]
    assert found == FILES


def test_a_hundred_queues_are_held_by_objects_that_hold_less() -> None:
    """A ConfigMap may have 1 MiB; the rules of a queue have ten thousand bytes."""
    files = {"rules": {f"queue-{number}.yaml": "x" * 10_000 for number in range(200)}}
    made = manifests(files)
    assert max(len(json.dumps(item)) for item in made if item["kind"] == "ConfigMap") < 20_000
    assert _mounted(made)["rules"] == files["rules"]


def test_what_was_measured_outlives_the_pod() -> None:
    """Other rules would begin with an empty past otherwise."""
    made = manifests(FILES)
    claim = _one(made, "PersistentVolumeClaim")["metadata"]["name"]
    pod = _one(made, "Deployment")["spec"]["template"]["spec"]
    [data] = [item for item in pod["volumes"] if "persistentVolumeClaim" in item]
    [mount] = [item for item in pod["containers"][0]["volumeMounts"] if item["name"] == data["name"]]
    assert data["persistentVolumeClaim"] == {"claimName": claim}
    assert f"--storage.tsdb.path={mount['mountPath']}" in pod["containers"][0]["args"]


def test_other_files_are_other_pods() -> None:
    """They are read at the start; the same files roll nothing."""
    templates = [
        _one(manifests(files), "Deployment")["spec"]["template"]
        for files in (FILES, FILES, {**FILES, "rules": {"a.yaml": "groups: [another]"}})
    ]
    assert templates[0] == templates[1] != templates[2]


def test_nobody_waits_for_an_image_that_was_not_asked_for() -> None:
    """A cold start makes the others alone."""
    assert PROMETHEUS not in IMAGES
    assert (
        _one(manifests(FILES), "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
        == PROMETHEUS.reference
    )
