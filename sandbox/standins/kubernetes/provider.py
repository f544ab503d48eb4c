"""The provider's side of Pulumi's protocol: messages in, messages out, everything else in the modules beside it.

The invariant: no message is interpreted twice; a request becomes plain objects here, and an outcome becomes a response.

Source: pulumi v3.259 `proto/pulumi/provider.proto`; the capabilities that are announced from pulumi-kubernetes v4.32
`provider/pkg/provider/provider.go` (Configure).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from sandbox.standins.diff_message import detailed_diff
from sandbox.standins.kubernetes import planning, releases, resources, yaml_components
from sandbox.standins.kubernetes.cluster import Cluster, connect
from sandbox.standins.kubernetes.settings import compare_settings, read_settings
from sandbox.standins.kubernetes.values import parse_checkpoint, plain
from sandbox.standins.plugin_server import Call, Log, Message, PluginError
from sandbox.standins.property_values import Properties, marshal, unmarshal, with_secrets_of
from sandbox.standins.resource_plugin import common_calls
from sandbox.standins.urns import urn_type


@dataclass(slots=True)
class KubernetesProvider:
    """One provider instance, as the engine starts it."""

    log: Log
    cluster: Cluster = field(default_factory=lambda: Cluster(read_settings({})))

    def calls(self) -> dict[str, Call]:
        """What answers each RPC of the engine."""
        return {
            **common_calls("pulumi-kubernetes"),
            "CheckConfig": self.check_config,
            "DiffConfig": self.diff_config,
            "Configure": self.configure,
            "Invoke": self.invoke,
            "Construct": self.construct,
            "Check": self.check,
            "Diff": self.diff,
            "Create": self.create,
            "Read": self.read,
            "Update": self.update,
            "Delete": self.delete,
            "Cancel": self.cancel,
        }

    async def check_config(self, request: Message) -> Message:
        """The provider's inputs as they are."""
        return provider_pb2.CheckResponse(inputs=request.news)

    async def diff_config(self, request: Message) -> Message:
        """Whether the provider now means another cluster."""
        change = compare_settings(plain(unmarshal(request.olds)), plain(unmarshal(request.news)))
        some = provider_pb2.DiffResponse.DIFF_SOME if change.changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=change.changed, replaces=change.replaces)

    async def configure(self, request: Message) -> Message:
        """Connect to the cluster; one that does not answer is reported when it is needed."""
        await self.cluster.close()
        self.cluster = await connect(read_settings(dict(request.variables)), self.log)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    async def invoke(self, request: Message) -> Message:
        """Decode YAML for the components that run in the program; nothing else is a function here."""
        arguments = plain(unmarshal(request.args))
        if request.tok != "kubernetes:yaml:decode":
            raise PluginError(
                f"the function {request.tok} is not supported by the sandbox's stand-in for the Kubernetes plugin"
            )
        try:
            documents = [document for document in yaml.safe_load_all(arguments.get("text") or "") if document]
        except yaml.YAMLError as error:
            raise PluginError(f"failed to parse YAML: {error}") from None
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(marshal({"result": documents}))  # the field's name is a keyword
        return response

    async def construct(self, request: Message) -> Message:
        """Register the one component that the plugin builds itself and that is known here."""
        if request.type == yaml_components.CONFIG_FILE:
            return await yaml_components.constructed(request, plain(unmarshal(request.inputs)))
        planning.refuse_foreign_type(request.type)
        raise PluginError(f"{request.type} is not a component of the sandbox's stand-in for the Kubernetes plugin")

    async def check(self, request: Message) -> Message:
        """The inputs with their name and namespace."""
        proposed = None
        if request.HasField("autonaming"):
            if request.autonaming.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE:
                planning.require_name(plain(unmarshal(request.news)))
            proposed = request.autonaming.proposed_name or None
        if urn_type(request.urn) == releases.RELEASE:
            return self._check_release(request)
        inputs = await planning.checked(
            self.cluster,
            request.urn,
            unmarshal(request.olds),
            unmarshal(request.news),
            seed=request.randomSeed,
            proposed_name=proposed,
        )
        return provider_pb2.CheckResponse(inputs=marshal(inputs))

    def _check_release(self, request: Message) -> Message:
        news = unmarshal(request.news)
        previous = plain(unmarshal(request.olds))
        named, problems = releases.checked_release(request.urn, plain(news), previous, request.randomSeed)
        failures = [provider_pb2.CheckFailure(property="chart", reason=problem) for problem in problems]
        return provider_pb2.CheckResponse(inputs=marshal(with_secrets_of(named, news)), failures=failures)

    async def diff(self, request: Message) -> Message:
        """What the new inputs would change, and whether the object has to be replaced."""
        if urn_type(request.urn) == releases.RELEASE:
            return _release_difference(request)
        old_inputs, old_live = parse_checkpoint(unmarshal(request.olds))
        found = await planning.compared(
            self.cluster, old_inputs, old_live, unmarshal(request.news), list(request.ignoreChanges)
        )
        some = provider_pb2.DiffResponse.DIFF_SOME if found.fields else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some,
            replaces=found.replaces,
            deleteBeforeReplace=found.delete_before_replace,
            hasDetailedDiff=True,
            detailedDiff=detailed_diff(found.fields),
        )

    async def create(self, request: Message) -> Message:
        """Create the object and wait for it."""
        if urn_type(request.urn) == releases.RELEASE:
            made, state = await self._released(request, unmarshal(request.properties), revision=1)
            return provider_pb2.CreateResponse(id=made, properties=marshal(state))
        if self.cluster.imagined is not None and not request.preview:
            made, state = await self.cluster.imagined.created(request.urn, unmarshal(request.properties))
            return provider_pb2.CreateResponse(id=made, properties=marshal(state))
        outcome = await resources.created(
            self.cluster,
            request.urn,
            unmarshal(request.properties),
            timeout_seconds=request.timeout,
            preview=request.preview,
        )
        return provider_pb2.CreateResponse(id=outcome.resource_id, properties=marshal(outcome.state or {}))

    async def read(self, request: Message) -> Message:
        """Read the live object; an empty id says that it is gone."""
        if urn_type(request.urn) == releases.RELEASE or self.cluster.imagined is not None:
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        outcome = await resources.read(
            self.cluster, request.urn, request.id, unmarshal(request.properties), unmarshal(request.inputs)
        )
        if outcome.state is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=outcome.resource_id, properties=marshal(outcome.state), inputs=marshal(outcome.inputs or {})
        )

    async def update(self, request: Message) -> Message:
        """Apply the new inputs and wait for the object."""
        if urn_type(request.urn) == releases.RELEASE:
            before = plain(unmarshal(request.olds)).get("status") or {}
            revision = int(before.get("revision") or 1) + 1
            _, state = await self._released(request, unmarshal(request.news), revision=revision)
            return provider_pb2.UpdateResponse(properties=marshal(state))
        if self.cluster.imagined is not None and not request.preview:
            olds, news = unmarshal(request.olds), unmarshal(request.news)
            state = await self.cluster.imagined.updated(request.urn, olds, news)
            return provider_pb2.UpdateResponse(properties=marshal(state))
        state = await resources.updated(
            self.cluster,
            request.urn,
            unmarshal(request.olds),
            unmarshal(request.news),
            ignored=list(request.ignoreChanges),
            timeout_seconds=request.timeout,
            preview=request.preview,
        )
        return provider_pb2.UpdateResponse(properties=marshal(state))

    async def delete(self, request: Message) -> Message:
        """Delete the object and wait until it is gone."""
        if urn_type(request.urn) == releases.RELEASE:
            return empty_pb2.Empty()
        if self.cluster.imagined is not None:
            await self.cluster.imagined.deleted(request.urn, unmarshal(request.properties))
            return empty_pb2.Empty()
        await resources.deleted(
            self.cluster, request.urn, unmarshal(request.properties), timeout_seconds=request.timeout
        )
        return empty_pb2.Empty()

    async def _released(self, request: Message, given: Properties, *, revision: int) -> tuple[str, Properties]:
        made, state = await releases.released(
            self.cluster, self.log, request.urn, plain(given), revision=revision, preview=request.preview
        )
        return made, with_secrets_of(state, given)

    async def cancel(self, _request: Message) -> Message:
        """End every wait; what exists is kept in the state."""
        if self.cluster.waiting is not None:
            self.cluster.waiting.cancelled.set()
        return empty_pb2.Empty()


def _release_difference(request: Message) -> Message:
    old, new = plain(unmarshal(request.old_inputs)), plain(unmarshal(request.news))
    found = releases.compared_release(old, new)
    found.ignore(list(request.ignoreChanges))
    some = provider_pb2.DiffResponse.DIFF_SOME if found.fields else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some,
        replaces=found.replaces,
        deleteBeforeReplace=bool(found.replaces),
        hasDetailedDiff=True,
        detailedDiff=detailed_diff(found.fields, of_inputs=True),
    )
