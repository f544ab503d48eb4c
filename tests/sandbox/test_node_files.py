"""Configuration and command lines of the node's components."""

import dataclasses
import ipaddress
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox import node_files
from sandbox.certificates import identities, kubeconfig, make_certificates
from sandbox.components import node_components, stand_in_components
from sandbox.folders import Folders
from sandbox.network import BLOCKS, Addresses
from sandbox.node_files import NodePlan
from sandbox.programs import FAMILIES


@pytest.fixture
def plan(tmp_path: Path) -> NodePlan:
    binaries = {name: Path("/programs") / name for family in FAMILIES for name in family.binaries}
    return NodePlan(
        folders=Folders(name="test-node", state_root=tmp_path / "state", cache=tmp_path / "cache"),
        addresses=Addresses(block=BLOCKS[0]),
        unified_cgroups=False,
        pause_image="example.org/pause:1",
        programs={**binaries, "containerd": Path("/usr/bin/containerd")},
    )


def test_components_listen_on_the_sandbox_alone(plan: NodePlan) -> None:
    """No component opens a port on the machine's own addresses."""
    listening = r"(?:listen|bind|advertise)[\w-]*=(?:https?://)?([0-9.]+)"
    found = [
        address
        for component in node_components(plan)
        for argument in component.command
        for address in re.findall(listening, argument)
    ]
    assert set(found) == {"127.0.0.1", "10.231.0.2"}


def test_no_component_writes_outside_the_sandbox(plan: NodePlan) -> None:
    """Every folder in a command line is the node's, or holds programs."""
    for component in node_components(plan):
        for argument in component.command[1:]:
            for path in re.findall(r"(?:^|=)(/[^,\s]*)", argument):
                assert Path(path).is_relative_to(plan.folders.node), (component.name, argument)


def test_containerd_configuration_is_toml_with_our_folders(plan: NodePlan) -> None:
    """The file parses, and everything that lasts lies in the node's folder."""
    document = tomllib.loads(node_files.containerd_configuration(plan))
    assert Path(document["root"]).is_relative_to(plan.folders.node)
    assert document["grpc"]["address"] == str(plan.folders.containerd_socket)
    assert document["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"] == "example.org/pause:1"


def test_the_autoscaler_keeps_its_own_pace(plan: NodePlan) -> None:
    """Figures measured here hold elsewhere only when the HPA's period is the default of 15 s."""
    arguments = [argument for component in node_components(plan) for argument in component.command]
    assert not any("horizontal-pod-autoscaler" in argument for argument in arguments)


def test_another_configuration_file_restarts_who_reads_it(plan: NodePlan) -> None:
    """The pause image stands in containerd's file alone, so containerd alone is another component."""
    other = dataclasses.replace(plan, pause_image="example.org/pause:2")
    pairs = zip(node_components(plan), node_components(other), strict=True)
    assert [before.name for before, after in pairs if before != after] == ["containerd"]


def test_components_that_need_roles_wait_for_the_api(plan: NodePlan) -> None:
    """kube-controller-manager ends when it starts before the API server has made its roles."""
    waiting = {component.name for component in node_components(plan) if component.needs_api}
    assert waiting == {
        "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns"
    }  # fmt: skip


def test_stand_ins_wait_for_their_kinds(plan: NodePlan) -> None:
    """An operator that starts before its custom resource definitions would fail for nothing."""
    stand_ins = stand_in_components(plan)
    assert {one.name for one in stand_ins} == {"cert-manager", "rabbitmq-operators", "volume-provisioner"}
    assert all(one.needs_files and one.needs_api and one.stand_in for one in stand_ins)


def test_written_files_parse(plan: NodePlan) -> None:
    """Every YAML file names its kind, and DNS is asked where CoreDNS listens."""
    files = node_files.configuration_files(plan)
    assert yaml.safe_load(files["kubelet.yaml"])["clusterDNS"] == ["10.231.0.2"]
    assert yaml.safe_load(files["kube-proxy.yaml"])["kind"] == "KubeProxyConfiguration"
    assert "bind 10.231.0.2" in files["Corefile"]


def test_certificates_are_signed_named_and_private(plan: NodePlan, tmp_path: Path) -> None:
    """Each verifies against its authority; the node's address is in the servers' names; keys are 0600."""
    folder = tmp_path / "certificates"
    make_certificates(folder, "test-node", plan.addresses)
    for identity in identities("test-node", plan.addresses):
        certificate = x509.load_pem_x509_certificate((folder / f"{identity.name}.crt").read_bytes())
        authority = "front-proxy-ca" if identity.front_proxy else "ca"
        certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate((folder / f"{authority}.crt").read_bytes())
        )
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        assert [name.value for name in names] == [identity.common_name]
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        if identity.name in ("apiserver", "kubelet"):
            alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert ipaddress.ip_address("10.231.0.2") in alternative.get_values_for_type(x509.IPAddress)
    assert {file.stat().st_mode & 0o777 for file in folder.glob("*.key")} == {0o600}


def test_certificates_are_made_once_for_the_same_addresses(plan: NodePlan, tmp_path: Path) -> None:
    """A restart keeps them; other addresses get others, which fit."""
    folder = tmp_path / "certificates"
    make_certificates(folder, "test-node", plan.addresses)
    first = (folder / "apiserver.crt").read_bytes()
    make_certificates(folder, "test-node", plan.addresses)
    assert (folder / "apiserver.crt").read_bytes() == first
    make_certificates(folder, "test-node", Addresses(block=BLOCKS[1]))
    assert (folder / "apiserver.crt").read_bytes() != first


def test_kubeconfig_holds_everything(plan: NodePlan, tmp_path: Path) -> None:
    """It works wherever it is copied to: no path stands in it."""
    folder = tmp_path / "certificates"
    make_certificates(folder, "test-node", plan.addresses)
    document = yaml.safe_load(kubeconfig(folder, "admin", plan.api_server, context="here"))
    assert document["current-context"] == "here"
    assert document["clusters"][0]["cluster"]["server"] == "https://10.231.0.2:6443"
    assert str(tmp_path) not in str(document)
