"""What EKS adds to a cluster and to what belongs to it.

The invariant: a cluster answers where the caller's kubeconfig says; without one its endpoint has the form of a real one
and leads nowhere, and its certificate authority signs nothing.

Source: EKS API reference (Cluster, Nodegroup, AccessEntry, PodIdentityAssociation); ids from terraform-provider-aws 6
`internal/service/eks/`.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import yaml

from sandbox.standins.aws.account import ec2_id, hexadecimal
from sandbox.standins.aws.asked import Answer, Answering, Asked
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import Properties

DEFAULT_VERSION: Final = "1.36"
_TIME: Final = "2026-01-01T00:00:00Z"
"""When everything here was made; the real one is of no use to a program."""

NO_AUTHORITY: Final = base64.b64encode(b"a certificate authority that is stood in for and signs nothing").decode()


def _cluster(asked: Asked) -> Answer:
    identity = hexadecimal(32).upper()
    region, suffix = asked.account.region, asked.account.dns_suffix
    endpoint, authority = f"https://{identity}.gr7.{region}.eks.{suffix}", NO_AUTHORITY
    if asked.account.kubeconfig:
        endpoint, authority = _endpoint_of(Path(asked.account.kubeconfig))
    outputs: Properties = {
        "arn": asked.arn("eks", f"cluster/{asked.name}"),
        "endpoint": endpoint,
        "certificateAuthority": {"data": authority},
        "identities": [{"oidcs": [{"issuer": f"https://oidc.eks.{region}.{suffix}/id/{identity}"}]}],
        "vpcConfig": {"clusterSecurityGroupId": ec2_id("sg"), "vpcId": ec2_id("vpc")},
        "kubernetesNetworkConfig": {"ipFamily": "ipv4", "serviceIpv4Cidr": "172.20.0.0/16"},
        "accessConfig": {"authenticationMode": "CONFIG_MAP"},
        "upgradePolicy": {"supportType": "EXTENDED"},
        "createdAt": _TIME,
        "platformVersion": "eks.1",
        "status": "ACTIVE",
        "version": DEFAULT_VERSION,
    }
    return Answer(asked.name, outputs)


def _endpoint_of(kubeconfig: Path) -> tuple[str, str]:
    """The address and the certificate authority of a kubeconfig's first cluster.

    Raises: PluginError when there is none.
    """
    try:
        cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        authority = cluster.get("certificate-authority-data")
        if authority is None:
            found = (kubeconfig.parent / cluster["certificate-authority"]).read_bytes()
            authority = base64.b64encode(found).decode()
        return cluster["server"], authority
    except (OSError, KeyError, IndexError, TypeError, yaml.YAMLError) as error:
        raise PluginError(f"{kubeconfig}: no kubeconfig with a cluster and its authority ({error!r})") from None


def _node_group(asked: Asked) -> Answer:
    cluster, name = asked.text("clusterName"), asked.text("nodeGroupName") or asked.urn_name
    identity = f"{hexadecimal(8)}-{hexadecimal(4)}-{hexadecimal(4)}-{hexadecimal(4)}-{hexadecimal(12)}"
    outputs: Properties = {
        "arn": asked.arn("eks", f"nodegroup/{cluster}/{name}/{identity}"),
        "amiType": "AL2023_x86_64_STANDARD",
        "capacityType": "ON_DEMAND",
        "diskSize": 20,
        "instanceTypes": ["t3.medium"],
        "nodeGroupName": name,
        "releaseVersion": f"{DEFAULT_VERSION}.0-20260610",
        "resources": [{"autoscalingGroups": [{"name": f"eks-{name}-{identity}"}], "remoteAccessSecurityGroupId": ""}],
        "status": "ACTIVE",
        "version": DEFAULT_VERSION,
    }
    return Answer(f"{cluster}:{name}", outputs)


def _addon(asked: Asked) -> Answer:
    cluster, name = asked.text("clusterName"), asked.text("addonName")
    arn = asked.arn("eks", f"addon/{cluster}/{name}/{hexadecimal(32)}")
    outputs: Properties = {"arn": arn, "addonVersion": "v1.0.0-eksbuild.1", "createdAt": _TIME, "modifiedAt": _TIME}
    return Answer(f"{cluster}:{name}", outputs)


def _access_entry(asked: Asked) -> Answer:
    cluster, principal = asked.text("clusterName"), asked.text("principalArn")
    kind, _, name = principal.rpartition(":")[2].partition("/")
    arn = asked.arn("eks", f"access-entry/{cluster}/{kind}/{asked.account.number}/{name}/{hexadecimal(32)}")
    outputs: Properties = {
        "accessEntryArn": arn, "createdAt": _TIME, "modifiedAt": _TIME, "type": "STANDARD", "userName": principal,
    }  # fmt: skip
    return Answer(f"{cluster}:{principal}", outputs)


def _access_policy_association(asked: Asked) -> Answer:
    made = "#".join(asked.text(name) for name in ("clusterName", "principalArn", "policyArn"))
    return Answer(made, {"associatedAt": _TIME, "modifiedAt": _TIME})


def _pod_identity_association(asked: Asked) -> Answer:
    made = f"a-{hexadecimal(17)}"
    arn = asked.arn("eks", f"podidentityassociation/{asked.text('clusterName')}/{made}")
    return Answer(made, {"associationArn": arn, "associationId": made})


EKS_ANSWERS: Final[dict[str, Answering]] = {
    "aws:eks/accessEntry:AccessEntry": _access_entry,
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": _access_policy_association,
    "aws:eks/addon:Addon": _addon,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": _pod_identity_association,
}
"""Type -> what EKS answers to its creation."""
