"""CustomResourceDefinition of RabbitmqCluster, for the fields that the stand-in honours.

Invariant: a RabbitmqCluster that this definition accepts is accepted upstream too; what upstream accepts and the
stand-in cannot do (`secretBackend`) is refused with a sentence, never dropped in silence.
Facts from: cluster-operator v2.21.1 `api/v1beta1/rabbitmqcluster_types.go` and `rabbitmqcluster_status.go`.
"""

from typing import Final

from sandbox.standins.custom_resources import BOOLEAN, INT32, INT64, STRING, Schema, one_of, record
from sandbox.standins.rabbitmq_operators.crd_schema import (
    CONDITIONS,
    FREE_OBJECT,
    LOCAL_REFERENCE,
    QUANTITY,
    STRING_MAP,
    definition,
)

_QUANTITIES: Final[Schema] = {"type": "object", "additionalProperties": QUANTITY}

_SPEC: Final = record(
    {
        "replicas": INT32 | {"minimum": 0, "default": 1},
        "image": STRING,
        "imagePullSecrets": {"type": "array", "items": LOCAL_REFERENCE},
        "service": record(
            {
                "type": one_of("ClusterIP", "LoadBalancer", "NodePort", default="ClusterIP"),
                "annotations": STRING_MAP,
                "labels": STRING_MAP,
                "ipFamilyPolicy": one_of("SingleStack", "PreferDualStack", "RequireDualStack"),
            }
        )
        | {"default": {"type": "ClusterIP"}},
        "persistence": record(
            {
                "storageClassName": STRING,
                "storage": QUANTITY | {"default": "10Gi"},
                "emptyDir": record({"medium": STRING, "sizeLimit": QUANTITY}),
            }
        )
        | {"default": {"storage": "10Gi"}},
        "resources": record(
            {
                "claims": {
                    "type": "array",
                    "items": record({"name": STRING, "request": STRING}, required=["name"]),
                    "x-kubernetes-list-map-keys": ["name"],
                    "x-kubernetes-list-type": "map",
                },
                "limits": _QUANTITIES,
                "requests": _QUANTITIES,
            }
        )
        | {
            "default": {
                "limits": {"cpu": "2000m", "memory": "2Gi"},
                "requests": {"cpu": "1000m", "memory": "2Gi"},
            }
        },
        "rabbitmq": record(
            {
                "additionalConfig": STRING | {"maxLength": 100_000},
                "additionalPlugins": {
                    "type": "array",
                    "maxItems": 100,
                    "items": STRING | {"maxLength": 100, "pattern": r"^\w+$"},
                },
                "advancedConfig": STRING | {"maxLength": 100_000},
                "envConfig": STRING
                | {
                    "maxLength": 100_000,
                    "x-kubernetes-validations": [
                        {
                            "rule": "!self.contains('$(') && !self.contains('`')",
                            "message": "envConfig must not contain shell command substitution ('$(...)' or backticks)",
                        }
                    ],
                },
                "erlangInetConfig": STRING | {"maxLength": 2000},
            }
        ),
        "tls": record({"secretName": STRING, "caSecretName": STRING, "disableNonTLSListeners": BOOLEAN}),
        "affinity": FREE_OBJECT,
        "tolerations": {
            "type": "array",
            "items": record(
                {
                    "effect": STRING,
                    "key": STRING,
                    "operator": STRING,
                    "tolerationSeconds": INT64,
                    "value": STRING,
                }
            ),
        },
        "terminationGracePeriodSeconds": INT64 | {"minimum": 0, "default": 604_800},
        # Upstream's default is 30, a pause that lets DNS caches of a cloud settle; one node has nothing to wait for.
        "delayStartSeconds": INT32 | {"minimum": 0, "default": 0},
        "skipPostDeploySteps": BOOLEAN,
        "autoEnableAllFeatureFlags": BOOLEAN,
        "override": record({"service": FREE_OBJECT, "statefulSet": FREE_OBJECT}),
        "secretBackend": record(
            {
                "externalSecret": LOCAL_REFERENCE,
                "vault": FREE_OBJECT,
            }
        )
        | {
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.vault) && !has(self.externalSecret)",
                    "message": "the sandbox's stand-in for the cluster operator has no secretBackend: leave it out "
                    "here, or use a cluster with the real operator",
                }
            ]
        },
    }
)

_STATUS: Final = record(
    {
        "binding": LOCAL_REFERENCE,
        "conditions": CONDITIONS,
        "defaultUser": record(
            {
                "secretReference": record(
                    {"keys": STRING_MAP, "name": STRING, "namespace": STRING}, required=["keys", "name", "namespace"]
                ),
                "serviceReference": record({"name": STRING, "namespace": STRING}, required=["name", "namespace"]),
            }
        ),
        "deprecatedFeaturesUsed": {"type": "array", "items": STRING},
        "observedGeneration": INT64,
        "quorumStatus": STRING,
    },
    required=["conditions"],
)


def _condition_column(name: str) -> Schema:
    return {"name": name, "type": "string", "jsonPath": f".status.conditions[?(@.type == '{name}')].status"}


def cluster_definition() -> Schema:
    """The definition of RabbitmqCluster, short name `rmq`."""
    return definition(
        kind="RabbitmqCluster",
        plural="rabbitmqclusters",
        description="A RabbitMQ cluster, kept by the sandbox's stand-in for the cluster operator.",
        spec=_SPEC,
        status=_STATUS,
        short_names=("rmq",),
        columns=(
            _condition_column("AllReplicasReady"),
            _condition_column("ReconcileSuccess"),
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ),
    )
