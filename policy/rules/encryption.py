"""What is encrypted where it lies, and on its way to the results store.

Sources: pulumi-aws 7.51 (inputs of each type); EKS user guide, "Encrypt Kubernetes secrets with KMS"; aws-ebs-csi-driver 1.64, docs/parameters.md;
Karpenter 1.14 docs, "NodeClasses" (without `blockDeviceMappings` its own default is encrypted).
"""

from collections.abc import Callable, Iterator, Mapping

from policy.graph import UNKNOWN, Resource, at, is_on, items, section
from policy.rule import Finding, ResourceRule

Places = Iterator[str]
"""Paths of what is not encrypted."""

EBS_DRIVERS = ("ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com")


def _cluster(resource: Resource) -> Places:
    if at(resource.properties, "encryptionConfig") != UNKNOWN and "secrets" not in items(
        resource.properties, "encryptionConfig.resources"
    ):
        yield "encryptionConfig.resources"


def _launch_template(resource: Resource) -> Places:
    # Without a mapping the disk is the image's own, which is not encrypted.
    if not at(resource.properties, "blockDeviceMappings"):
        yield "blockDeviceMappings"
    yield from _disks(resource, "blockDeviceMappings")


def _node_class(resource: Resource) -> Places:
    return _disks(resource, "spec.blockDeviceMappings")


def _disks(resource: Resource, field: str) -> Places:
    for index, mapping in enumerate(items(resource.properties, field)):
        if not is_on(at(mapping, "ebs.encrypted")):
            yield f"{field}[{index}].ebs.encrypted"


def _instance(resource: Resource) -> Places:
    if not is_on(at(resource.properties, "rootBlockDevice.encrypted")):
        yield "rootBlockDevice.encrypted"
    for index, device in enumerate(items(resource.properties, "ebsBlockDevices")):
        if not is_on(at(device, "encrypted")):
            yield f"ebsBlockDevices[{index}].encrypted"


def _storage_class(resource: Resource) -> Places:
    if at(resource.properties, "provisioner") in EBS_DRIVERS and not is_on(
        section(resource.properties, "parameters").get("encrypted")
    ):
        yield "parameters.encrypted"


def _repository(resource: Resource) -> Places:
    kinds = [at(entry, "encryptionType") for entry in items(resource.properties, "encryptionConfigurations")]
    if at(resource.properties, "encryptionConfigurations") != UNKNOWN and not any(
        kind in ("KMS", "KMS_DSSE", UNKNOWN) for kind in kinds
    ):
        yield "encryptionConfigurations[0].encryptionType"


def _queue(resource: Resource) -> Places:
    if not is_on(at(resource.properties, "sqsManagedSseEnabled")) and at(resource.properties, "kmsMasterKeyId") is None:
        yield "sqsManagedSseEnabled"


def _switched_on(*fields: str) -> Callable[[Resource], Places]:
    return lambda resource: (field for field in fields if not is_on(at(resource.properties, field)))


def _stated(field: str) -> Callable[[Resource], Places]:
    return lambda resource: iter([field] if at(resource.properties, field) is None else [])


CHECKS: Mapping[str, Callable[[Resource], Places]] = {
    "aws:cloudwatch/logGroup:LogGroup": _stated("kmsKeyId"),
    "aws:ebs/volume:Volume": _switched_on("encrypted"),
    "aws:ec2/instance:Instance": _instance,
    "aws:ec2/launchTemplate:LaunchTemplate": _launch_template,
    "aws:ecr/repository:Repository": _repository,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:elasticache/replicationGroup:ReplicationGroup": _switched_on(
        "atRestEncryptionEnabled", "transitEncryptionEnabled"
    ),
    "aws:sqs/queue:Queue": _queue,
    "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass": _node_class,
    "kubernetes:storage.k8s.io/v1:StorageClass": _storage_class,
}
"""Type -> where it is not encrypted."""


def _unencrypted(resource: Resource) -> Iterator[Finding]:
    for where in CHECKS[resource.typ](resource):
        yield Finding(resource=resource, where=where, problem="leaves it without encryption")


RULES = (
    ResourceRule(
        id="encryption",
        says="Secrets, disks, volumes, images, logs, queues and the results store are encrypted.",
        reason="Tasks carry their arguments through all of them: a snapshot, a stolen disk or a copied log would be readable.",
        fix="Name a KMS key (or switch on the service's own encryption) at the place that is named; most types have to be made anew for it.",
        types=tuple(CHECKS),
        check=_unencrypted,
    ),
)
