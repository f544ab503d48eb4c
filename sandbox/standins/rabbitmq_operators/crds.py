"""All CustomResourceDefinitions of the stand-in, as one YAML stream.

Invariant: the stream is plain YAML (no anchors), the same text on every run, fit for `kubectl apply -f -`.
"""

import yaml

from sandbox.standins.rabbitmq_operators.cluster_crd import cluster_definition
from sandbox.standins.rabbitmq_operators.crd_schema import Schema
from sandbox.standins.rabbitmq_operators.topology_crds import topology_definitions


class _PlainDumper(yaml.SafeDumper):
    """Writes a shared schema out at every place where it is used."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def all_definitions() -> list[Schema]:
    """The cluster's definition, then those of the topology kinds."""
    return [cluster_definition(), *topology_definitions()]


def definitions_yaml() -> str:
    """All definitions as a YAML stream."""
    return yaml.dump_all(all_definitions(), Dumper=_PlainDumper, sort_keys=False, explicit_start=True)
