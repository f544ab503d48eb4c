"""All CustomResourceDefinitions of the stand-in, as one YAML stream."""

from sandbox.standins.custom_resources import Schema, yaml_stream
from sandbox.standins.rabbitmq_operators.cluster_crd import cluster_definition
from sandbox.standins.rabbitmq_operators.topology_crds import topology_definitions


def all_definitions() -> list[Schema]:
    """The cluster's definition, then those of the topology kinds."""
    return [cluster_definition(), *topology_definitions()]


def definitions_yaml() -> str:
    """All definitions as a YAML stream."""
    return yaml_stream(all_definitions())
