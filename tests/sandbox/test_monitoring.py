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


def test_every_object_is_one_that_kubernetes_takes() -> None:
    """By its own schemas."""
    assert [error for item in manifests(FILES) for error in kubernetes_errors(item, "1.36")] == []


def test_it_finds_each_file_where_its_settings_look() -> None:
    """Every folder is mounted below the one that the settings name."""
    made = manifests(FILES)
    held = {item["metadata"]["name"]: item["data"] for item in made if item["kind"] == "ConfigMap"}
    settings = json.loads(held["prometheus-settings"]["prometheus.yml"])
    pod = _one(made, "Deployment")["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    sources = {item["name"]: item["configMap"]["name"] for item in pod["volumes"] if "configMap" in item}
    assert settings["scrape_config_files"] == [f"{mounts['scrape']}/*.yaml"]
    assert settings["rule_files"] == [f"{mounts['rules']}/*.yaml"]
    assert f"--config.file={mounts['settings']}/prometheus.yml" in pod["containers"][0]["args"]
    assert {name: held[source] for name, source in sources.items() if name in FILES} == FILES


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
