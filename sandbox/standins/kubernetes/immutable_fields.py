"""Which fields of which kinds cannot change in place, so that a change replaces the object.

The invariant: the table is the real plugin's, field for field, also where the API server would allow a change: a
program that is tried here must plan the same replacements on a real cluster.

Source: pulumi-kubernetes v4.32 `provider/pkg/provider/diff.go` (forceNew).
"""

from __future__ import annotations

from typing import Final

from sandbox.standins.diffing import Pattern
from sandbox.standins.kubernetes.naming import kind_of
from sandbox.standins.kubernetes.values import Manifest

_IDENTITY: Final = ("metadata.name", "metadata.namespace")
_SELECTOR: Final = ("spec.selector",)

_VOLUME_SOURCES: Final = """
    awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs
    hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume
"""

_POD_FIELDS: Final = """
    affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork
    hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName
    readinessGates restartPolicy runtimeClassName schedulerName securityContext serviceAccount serviceAccountName
    shareProcessNamespace subdomain terminationGracePeriodSeconds volumes
"""

_CONTAINER_FIELDS: Final = """
    args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext
    stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir
"""

_FIELDS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("", "PersistentVolume"): tuple(f"spec.{source}" for source in _VOLUME_SOURCES.split()),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    ("", "Pod"): (
        *(f"spec.{name}" for name in _POD_FIELDS.split()),
        *(f"spec.{group}.*.{name}" for group in ("containers", "initContainers") for name in _CONTAINER_FIELDS.split()),
    ),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Service"): ("spec.clusterIP",),
}


def immutable_fields(
    manifest: Manifest, *, configmaps_mutable: bool = False, secrets_mutable: bool = False
) -> tuple[Pattern, ...]:
    """The fields whose change replaces this object; every kind is replaced when its name or namespace changes.

    A ConfigMap or Secret is replaced with its data unless the provider was told otherwise or the object is not marked
    immutable itself.
    """
    kind = kind_of(manifest)
    fixed = manifest.get("immutable") is True
    fields = _FIELDS.get((kind.group, kind.kind), ())
    if (kind.group, kind.kind) == ("", "Secret"):
        fields = ("type", "stringData", "data") if fixed or not secrets_mutable else ("type",)
    elif (kind.group, kind.kind) == ("", "ConfigMap"):
        fields = ("binaryData", "data") if fixed or not configmaps_mutable else ()
    return tuple(tuple(path.split(".")) for path in (*_IDENTITY, *fields))
