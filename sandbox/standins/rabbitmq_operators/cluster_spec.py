"""A RabbitmqCluster as the stand-in reads it, and the names that everything made for it carries.

Invariant: names, labels and owner references of all children come from here, so other resources can rely on them.
Facts from: cluster-operator v2.21.1 `api/v1beta1/rabbitmqcluster_types.go`, `internal/metadata/{label,annotation}.go`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sandbox.standins.quantities import parse_quantity
from sandbox.standins.rabbitmq_operators.crd_schema import API_VERSION

Manifest: TypeAlias = dict[str, Any]

VERSION_ANNOTATION: Final = "rabbitmq.com/version"
ERLANG_VERSION_ANNOTATION: Final = "rabbitmq.com/erlang-version"
NO_TOPOLOGY_SPREAD_ANNOTATION: Final = "rabbitmq.com/disable-default-topology-spread-constraints"
REPLICAS_BEFORE_ZERO_ANNOTATION: Final = "rabbitmq.com/before-zero-replicas-configured"

_STREAM_PLUGINS: Final = frozenset({"rabbitmq_stream", "rabbitmq_stream_management", "rabbitmq_multi_dc_replication"})
_CONFIG_FILES: Final = {
    "advanced.config": "advancedConfig",
    "rabbitmq-env.conf": "envConfig",
    "erl_inetrc": "erlangInetConfig",
}
_PEER_DISCOVERY_WITHOUT_API: Final = (4, 1)
"""From RabbitMQ 4.1 on, peer discovery asks no Kubernetes API and needs no Role."""


@dataclass(frozen=True, kw_only=True)
class RabbitmqCluster:
    """One RabbitmqCluster; fields without a comment mean what the definition of the resource says."""

    name: str
    namespace: str
    uid: str
    generation: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]

    @classmethod
    def from_resource(cls, resource: Mapping[str, Any]) -> "RabbitmqCluster":
        """Read a resource as the API server returns it, defaults filled in."""
        metadata = resource["metadata"]
        return cls(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            spec=resource.get("spec") or {},
        )

    @property
    def replicas(self) -> int:
        """Broker nodes wanted."""
        return int(self.spec.get("replicas", 1))

    @property
    def image(self) -> str:
        """Image of the broker; empty until the operator's default has been written into the resource."""
        return str(self.spec.get("image", ""))

    @property
    def plugins(self) -> tuple[str, ...]:
        """Plugins named by the user, in their order."""
        return tuple(self._rabbitmq.get("additionalPlugins") or ())

    @property
    def additional_config(self) -> str:
        """The user's lines of rabbitmq.conf."""
        return str(self._rabbitmq.get("additionalConfig") or "")

    @property
    def config_files(self) -> dict[str, str]:
        """Further configuration files by their key in the ConfigMap; only those that have content."""
        return {key: self._rabbitmq[field] for key, field in _CONFIG_FILES.items() if self._rabbitmq.get(field)}

    @property
    def resources(self) -> Mapping[str, Any]:
        """Requests and limits of the broker's container."""
        return self.spec.get("resources") or {}

    @property
    def memory_limit_bytes(self) -> int | None:
        """The container's memory limit, None when there is none."""
        limit = (self.resources.get("limits") or {}).get("memory")
        return int(parse_quantity(limit)) or None if limit is not None else None

    @property
    def storage(self) -> str:
        """Size of each broker node's volume."""
        return str(self.persistence.get("storage", "10Gi"))

    @property
    def persistent(self) -> bool:
        """Whether broker nodes keep their data in a volume claim; `storage: 0` asks for an emptyDir."""
        return parse_quantity(self.storage) != 0

    @property
    def persistence(self) -> Mapping[str, Any]:
        """Volume settings as written."""
        return self.spec.get("persistence") or {}

    @property
    def grace_seconds(self) -> int:
        """How long a broker node may take to drain."""
        return int(self.spec.get("terminationGracePeriodSeconds", 604_800))

    @property
    def tls_secret(self) -> str:
        """Secret with `tls.crt` and `tls.key`; empty when the listeners are plain."""
        return str(self._tls.get("secretName") or "")

    @property
    def ca_secret(self) -> str:
        """Secret with `ca.crt`; set means that clients have to show a certificate, unless `additionalConfig` says otherwise."""
        return str(self._tls.get("caSecretName") or "") if self.tls_secret else ""

    @property
    def tls_only(self) -> bool:
        """Whether plain listeners are closed."""
        return bool(self._tls.get("disableNonTLSListeners"))

    @property
    def stream_needed(self) -> bool:
        """Whether the stream listener is open."""
        return not _STREAM_PLUGINS.isdisjoint(self.plugins)

    @property
    def needs_peer_discovery_role(self) -> bool:
        """Whether broker nodes ask the Kubernetes API for their peers; unknown versions are taken to."""
        parts = self.annotations.get(VERSION_ANNOTATION, "").split(".")
        if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
            return True
        return (int(parts[0]), int(parts[1])) < _PEER_DISCOVERY_WITHOUT_API

    @property
    def override(self) -> Mapping[str, Any]:
        """Patches of the StatefulSet and the Service."""
        return self.spec.get("override") or {}

    @property
    def service_host(self) -> str:
        """Host name of the client Service inside the cluster."""
        return f"{self.name}.{self.namespace}.svc"

    @property
    def identity_labels(self) -> dict[str, str]:
        """Labels that say what an object belongs to."""
        return {
            "app.kubernetes.io/name": self.name,
            "app.kubernetes.io/component": "rabbitmq",
            "app.kubernetes.io/part-of": "rabbitmq",
        }

    @property
    def child_labels(self) -> dict[str, str]:
        """Labels of children: the identity, and the user's own except those of the same domain."""
        own = {key: value for key, value in self.labels.items() if not key.startswith("app.kubernetes.io")}
        return self.identity_labels | own

    @property
    def child_annotations(self) -> dict[str, str]:
        """The user's annotations, without those of Kubernetes itself."""
        return {
            key: value for key, value in self.annotations.items() if "kubernetes.io" not in key and "k8s.io" not in key
        }

    @property
    def selector(self) -> dict[str, str]:
        """Labels by which Services and the StatefulSet find their pods."""
        return {"app.kubernetes.io/name": self.name}

    @property
    def _rabbitmq(self) -> Mapping[str, Any]:
        return self.spec.get("rabbitmq") or {}

    @property
    def _tls(self) -> Mapping[str, Any]:
        return self.spec.get("tls") or {}

    def child_name(self, suffix: str = "") -> str:
        """Name of a child; without a suffix the cluster's own name."""
        return f"{self.name}-{suffix}" if suffix else self.name

    def pod_name(self, ordinal: int) -> str:
        """Name of a broker node's pod."""
        return f"{self.name}-server-{ordinal}"

    def owner_reference(self, *, block_deletion: bool = True) -> Manifest:
        """Reference by which garbage collection finds the children."""
        return {
            "apiVersion": API_VERSION,
            "kind": "RabbitmqCluster",
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": block_deletion,
        }

    def child(self, api_version: str, kind: str, name: str, **content: object) -> Manifest:
        """A child object with the metadata that all children share."""
        return {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": self.child_labels,
                "annotations": self.child_annotations,
                "ownerReferences": [self.owner_reference()],
            },
            **content,
        }
