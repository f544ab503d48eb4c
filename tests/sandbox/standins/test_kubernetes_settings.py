"""Which cluster a provider means, and when it means another one.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (DiffConfig, Configure) and `util.go`
(parseKubeconfigString, getActiveClusterFromConfig).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sandbox.standins.kubernetes.kubeconfig import cluster_access, parse_kubeconfig
from sandbox.standins.kubernetes.settings import compare_settings, read_settings
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import UNKNOWN, UNKNOWN_STRING


def kubeconfig(server: str = "http://127.0.0.1:1", **user: object) -> Manifest:
    return {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "fleet"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
    }


def test_a_kubeconfig_is_given_as_text_or_as_a_path(tmp_path: Path) -> None:
    """Programs pass the output of an EKS cluster, people the path of a file."""
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig()))
    for given in (str(path), path.read_text(), json.dumps(kubeconfig())):
        assert parse_kubeconfig(given) == kubeconfig()
    assert parse_kubeconfig("") == {}


def test_a_path_that_does_not_exist_is_named() -> None:
    """A misspelt path is not read as text."""
    with pytest.raises(PluginError, match="neither an existing file nor the text of a kubeconfig"):
        parse_kubeconfig("/does/not/exist")


def test_the_chosen_context_gives_server_credentials_and_namespace() -> None:
    """What `kubectl` would use."""
    access = cluster_access(kubeconfig())
    assert (access.server, access.namespace) == ("http://127.0.0.1:1", "fleet")
    assert access.headers == {"Authorization": "Bearer t"}


def test_a_context_that_is_missing_is_refused_with_those_there_are() -> None:
    """The provider never falls back to another cluster."""
    with pytest.raises(PluginError, match="has no context 'prod'; it has: one"):
        cluster_access(kubeconfig(), context="prod")


def helper(tmp_path: Path, printed: str, code: int = 0) -> Manifest:
    """An `exec` entry whose program prints this and ends with this code."""
    script = tmp_path / "helper"
    script.write_text(f"#!/bin/sh\necho 'no session for '$WHO >&2\ncat <<'END'\n{printed}\nEND\nexit {code}\n")
    script.chmod(0o755)
    return {"command": str(script), "args": ["eks"], "env": [{"name": "WHO", "value": "fleet"}]}


def test_a_helper_program_gives_the_credentials(tmp_path: Path) -> None:
    """As `aws eks get-token` does for a kubeconfig of EKS."""
    printed = json.dumps({"kind": "ExecCredential", "status": {"token": "of-the-helper"}})
    access = cluster_access(kubeconfig(exec=helper(tmp_path, printed)))
    assert access.headers == {"Authorization": "Bearer of-the-helper"}


@pytest.mark.parametrize(
    ("printed", "code", "said"),
    [
        pytest.param("", 1, "failed: no session for fleet", id="it-fails"),
        pytest.param("hush-hush", 0, "printed no ExecCredential", id="it-prints-something-else"),
    ],
)
def test_a_helper_program_that_gives_none_is_told(tmp_path: Path, printed: str, code: int, said: str) -> None:
    """By what it says about itself; what it printed may be a secret."""
    with pytest.raises(PluginError, match=said) as caught:
        cluster_access(kubeconfig(exec=helper(tmp_path, printed, code)))
    assert "hush-hush" not in str(caught.value)


def test_a_helper_program_that_is_missing_is_told() -> None:
    """By its name."""
    with pytest.raises(PluginError, match="no-such-helper"):
        cluster_access(kubeconfig(exec={"command": "no-such-helper"}))


def inputs(server: str, **more: object) -> Manifest:
    return {"kubeconfig": json.dumps(kubeconfig(server)), **more}


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        pytest.param(inputs("http://a"), inputs("http://a"), (), id="nothing-changed"),
        pytest.param(inputs("http://a"), inputs("http://a", namespace="x"), (), id="another-namespace"),
        pytest.param(inputs("http://a"), inputs("http://b"), ("kubeconfig",), id="another-server"),
        pytest.param(
            inputs("http://a", clusterIdentifier="1"),
            inputs("http://b", clusterIdentifier="1"),
            (),
            id="same-identifier",
        ),
        pytest.param(
            inputs("http://a", clusterIdentifier="1"),
            inputs("http://a", clusterIdentifier="2"),
            ("clusterIdentifier",),
            id="another-identifier",
        ),
        pytest.param(inputs("http://a"), inputs("http://a", clusterIdentifier="1"), (), id="identifier-added"),
        pytest.param(inputs("http://a"), {"kubeconfig": UNKNOWN}, ("kubeconfig",), id="not-known-yet"),
    ],
)
def test_another_cluster_replaces_what_the_provider_made(
    old: Manifest, new: Manifest, replaces: tuple[str, ...]
) -> None:
    """Objects of the old cluster are not looked for in the new one."""
    assert compare_settings(old, new).replaces == replaces


def test_settings_come_from_the_program_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explicit `false` is not overruled by a variable somebody exported."""
    monkeypatch.setenv("KUBECONFIG", "/ambient:/second")
    monkeypatch.setenv("PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE", "true")
    assert read_settings({}).kubeconfig == "/ambient"
    assert read_settings({}).configmaps_mutable
    assert read_settings({}).server_side_apply
    stated = read_settings(
        {"kubernetes:config:kubeconfig": "/mine", "kubernetes:config:enableConfigMapMutable": "false"}
    )
    assert stated.kubeconfig == "/mine"
    assert not stated.configmaps_mutable


def test_a_cluster_that_does_not_exist_yet_is_no_error() -> None:
    """A program may create the cluster it deploys to."""
    assert not read_settings({"kubernetes:config:kubeconfig": UNKNOWN_STRING}).known
