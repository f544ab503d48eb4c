"""Objects of an EKS cluster that is stood in for live in the state alone, and only where that was asked for."""

from __future__ import annotations

import asyncio
import json

import pytest
from pulumi.runtime.proto import provider_pb2

from infra.platform import CHARTS as INSTALLED
from infra.platform import RELEASE_MANIFESTS
from sandbox.standins import variables
from sandbox.standins.kubernetes.provider import KubernetesProvider
from sandbox.standins.kubernetes.releases import CHARTS, checked_release
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.kubernetes.yaml_components import constructed, is_known
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import UNKNOWN, SecretValue, marshal, unmarshal
from tests.sandbox.standins.kubernetes_fakes import RememberingLog

EKS = "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com"
URN = "urn:pulumi:prod::fleet::kubernetes:core/v1:ConfigMap::plan"
RELEASE = "urn:pulumi:prod::fleet::kubernetes:helm.sh/v3:Release::keda"
KEDA = {
    "chart": "keda", "version": "2.21.0", "namespace": "keda", "name": "keda",
    "repositoryOpts": {"repo": "https://kedacore.github.io/charts"},
}  # fmt: skip


def configured(server: str) -> KubernetesProvider:
    """A provider of the cluster at this address, whose helper program must not run."""
    kubeconfig = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"exec": {"command": "no-such-helper"}}}],
    }
    provider = KubernetesProvider(RememberingLog())
    settings = {"kubernetes:config:kubeconfig": json.dumps(kubeconfig)}
    asyncio.run(provider.configure(provider_pb2.ConfigureRequest(variables=settings)))
    return provider


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> KubernetesProvider:
    monkeypatch.setenv(variables.IMAGINED, "true")
    return configured(EKS)


def manifest(kind: str = "ConfigMap", **more: object) -> Manifest:
    metadata = {"name": "plan", "namespace": "fleet"}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


def created(provider: KubernetesProvider, given: Manifest, urn: str = URN) -> tuple[str, Manifest]:
    request = provider_pb2.CreateRequest(urn=urn, properties=marshal(given))
    response = asyncio.run(provider.create(request))
    return response.id, unmarshal(response.properties)


def compared(provider: KubernetesProvider, state: Manifest, news: Manifest) -> provider_pb2.DiffResponse:
    request = provider_pb2.DiffRequest(urn=URN, olds=marshal(state), news=marshal(news))
    response: provider_pb2.DiffResponse = asyncio.run(provider.diff(request))
    return response


@pytest.mark.parametrize(
    ("server", "asked"),
    [pytest.param(EKS, "", id="nobody-asked"), pytest.param("https://127.0.0.1:9", "true", id="another-cluster")],
)
def test_no_other_cluster_is_imagined(monkeypatch: pytest.MonkeyPatch, server: str, asked: str) -> None:
    """An address that does not answer is an error there, as it is for the real plugin."""
    monkeypatch.setenv(variables.IMAGINED, asked)
    with pytest.raises(PluginError, match="unreachable"):
        created(configured(server), manifest())


def test_an_object_is_kept_compared_and_read_back(provider: KubernetesProvider) -> None:
    """The same program changes nothing; another value does; a refresh finds what was left."""
    given = manifest(data={"a": "1"})
    made, state = created(provider, given)
    assert made == "fleet/plan"
    assert compared(provider, state, given).changes == provider_pb2.DiffResponse.DIFF_NONE
    found = compared(provider, state, manifest(data={"a": "2"}))
    assert list(found.replaces) == ["data.a"]  # the real plugin replaces a ConfigMap
    request = provider_pb2.ReadRequest(urn=URN, id=made, properties=marshal(state), inputs=marshal(given))
    assert unmarshal(asyncio.run(provider.read(request)).properties) == state


def test_a_secret_s_text_is_data_and_secret(provider: KubernetesProvider) -> None:
    """As the API server gives it back."""
    given = manifest("Secret", stringData={"a": SecretValue("hush")})
    _, state = created(provider, given)
    assert state["data"] == SecretValue({"a": "aHVzaA=="})
    assert compared(provider, state, given).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_two_objects_of_one_name_are_refused(provider: KubernetesProvider) -> None:
    """The API server would refuse the second."""
    created(provider, manifest())
    with pytest.raises(PluginError, match="already exists"):
        created(provider, manifest())


def test_an_ingress_gets_an_address(provider: KubernetesProvider) -> None:
    """Programs show it to their user."""
    _, state = created(provider, {**manifest("Ingress"), "apiVersion": "networking.k8s.io/v1"})
    assert state["status"]["loadBalancer"]["ingress"][0]["hostname"].endswith(".elb.amazonaws.com")


def test_it_is_said_once_that_nothing_runs(provider: KubernetesProvider) -> None:
    """A person must not take the objects for running ones."""
    created(provider, manifest())
    created(provider, {**manifest(), "metadata": {"name": "other"}})
    log = provider.log
    assert isinstance(log, RememberingLog)
    assert [line for _, line in log.lines if "nothing runs" in line] == [log.lines[0][1]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"chart": "redis"}, "'redis'", id="an-unknown-chart"),
        pytest.param({"version": "2.x"}, "'2.x'", id="a-version-that-is-a-range"),
        pytest.param({"version": ""}, "exact", id="no-version"),
        pytest.param({"repositoryOpts": {"repo": "https://example.com"}}, "kedacore", id="another-repository"),
    ],
)
def test_a_release_that_nothing_stands_for_is_refused(change: Manifest, said: str) -> None:
    """By the key that is wrong."""
    _, problems = checked_release(RELEASE, {**KEDA, **change}, {}, b"")
    assert [said in problem for problem in problems] == [True]


def test_a_release_that_is_not_known_yet_is_taken() -> None:
    """A preview must not refuse what an `up` would take."""
    assert checked_release(RELEASE, {**KEDA, "chart": UNKNOWN, "version": UNKNOWN}, {}, b"")[1] == []


def test_a_release_tells_its_status(provider: KubernetesProvider) -> None:
    """Its revision rises by each update."""
    made, state = created(provider, KEDA, RELEASE)
    assert made == "keda/keda"
    assert (state["status"]["status"], state["status"]["revision"]) == ("deployed", 1)
    news = marshal({**KEDA, "version": "2.21.1"})
    request = provider_pb2.UpdateRequest(urn=RELEASE, olds=marshal(state), old_inputs=marshal(KEDA), news=news)
    after = unmarshal(asyncio.run(provider.update(request)).properties)
    assert after["status"]["revision"] == 2


def test_what_a_platform_installs_is_known() -> None:
    """Each chart of the project by its repository and version, each release manifest by its address."""
    for chart in INSTALLED.values():
        release = {"chart": chart.name, "version": chart.version, "repositoryOpts": {"repo": chart.repository}}
        assert checked_release(RELEASE, release, {}, b"")[1] == []
    for address in RELEASE_MANIFESTS.values():
        assert is_known(address)


def test_every_known_chart_says_where_it_comes_from() -> None:
    """A repository, or a name that is its whole address."""
    assert [name for name, chart in CHARTS.items() if bool(chart.repository) == name.startswith("oci://")] == []


def test_another_yaml_file_is_refused_by_its_name() -> None:
    """Nothing in the sandbox stands for it."""
    with pytest.raises(PluginError, match=r"example\.com"):
        asyncio.run(constructed(provider_pb2.ConstructRequest(), {"file": "https://example.com/all.yaml"}))
