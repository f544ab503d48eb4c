"""The definitions of cert-manager's stand-in mean what the upstream ones mean.

Upstream: cert-manager/cert-manager v1.19.2 `deploy/crds/cert-manager.io_*.yaml`.
"""

import pytest
import yaml

from sandbox.standins.cert_manager.crds import all_definitions, definitions_yaml
from tests.sandbox.standins.upstream_definitions import fields, schema_of, upstream

OURS = {definition["spec"]["names"]["kind"]: definition for definition in all_definitions()}
COMPARED = ("type", "enum", "format", "required", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")


@pytest.mark.parametrize("kind", OURS)
def test_every_field_means_what_it_means_upstream(kind: str) -> None:
    """Upstream knows more; what is known here is known there, with the same type."""
    theirs = dict(fields(schema_of(upstream(OURS[kind])), kind))
    for path, schema in fields(schema_of(OURS[kind]), kind):
        assert path in theirs, f"{path} does not exist upstream"
        if path == kind:
            continue
        for word in COMPARED:
            assert schema.get(word) == theirs[path].get(word), f"{path}: {word}"


@pytest.mark.parametrize("kind", OURS)
def test_the_kind_is_known_by_the_names_it_has_upstream(kind: str) -> None:
    theirs, ours = upstream(OURS[kind])["spec"], OURS[kind]["spec"]
    assert (ours["names"], ours["scope"], ours["group"]) == (theirs["names"], theirs["scope"], theirs["group"])


def test_the_stream_is_plain_yaml_that_reads_back() -> None:
    """`kubectl apply -f -` gets every definition, without YAML anchors."""
    assert "&id" not in definitions_yaml()
    assert [content["spec"]["names"]["kind"] for content in yaml.safe_load_all(definitions_yaml())] == list(OURS)
