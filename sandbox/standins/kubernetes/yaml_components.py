"""`yaml.v2.ConfigFile` of a release manifest: a component that the plugin builds itself, here without children.

The invariant: only release manifests that something in the sandbox stands for are taken, each by its exact form of address.

Source: pulumi-kubernetes v4.34 `provider/pkg/provider/yaml/v2/configfile.go`; pulumi v3.259
`sdk/proto/pulumi/resource.proto` (RegisterResource of a component).
"""

from __future__ import annotations

import re
from typing import Final

import grpc.aio
from pulumi.runtime.proto import provider_pb2, resource_pb2, resource_pb2_grpc

from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import CHANNEL_OPTIONS, Message, PluginError
from sandbox.standins.property_values import Unknown, marshal

CONFIG_FILE: Final = "kubernetes:yaml/v2:ConfigFile"

_RELEASES: Final = r"https://github\.com/rabbitmq/{}/releases/download/v\d+\.\d+\.\d+/{}\.ya?ml"
RELEASE_MANIFESTS: Final = (
    _RELEASES.format("cluster-operator", "cluster-operator"),
    _RELEASES.format("messaging-topology-operator", "messaging-topology-operator-with-certmanager"),
)
"""Addresses that the sandbox's operators stand for."""


def is_known(address: str) -> bool:
    """Whether something in the sandbox stands for the manifest at this address."""
    return any(re.fullmatch(known, address) for known in RELEASE_MANIFESTS)


async def constructed(request: Message, inputs: Manifest) -> Message:
    """Register the component with the engine.

    Raises: PluginError for any other file, or when the engine refuses.
    """
    file = inputs.get("file")
    if not isinstance(file, Unknown) and not is_known(str(file)):
        raise PluginError(
            f"{file!r} is no release manifest that the sandbox stands in for; it knows those of the RabbitMQ cluster "
            "and topology operators on github.com"
        )
    wanted = resource_pb2.RegisterResourceRequest(
        type=request.type, name=request.name, parent=request.parent, custom=False, object=request.inputs,
        dependencies=request.dependencies, aliases=request.aliases, acceptSecrets=True, supportsPartialValues=True,
        protect=request.protect if request.HasField("protect") else None,
    )  # fmt: skip
    async with grpc.aio.insecure_channel(request.monitorEndpoint, options=CHANNEL_OPTIONS) as channel:
        monitor: Message = resource_pb2_grpc.ResourceMonitorStub(channel)
        try:
            made = await monitor.RegisterResource(wanted)
            outputs = marshal({"resources": []})
            await monitor.RegisterResourceOutputs(
                resource_pb2.RegisterResourceOutputsRequest(urn=made.urn, outputs=outputs)
            )
        except grpc.aio.AioRpcError as error:
            raise PluginError(error.details() or str(error.code())) from None
    return provider_pb2.ConstructResponse(urn=made.urn, state=outputs)
