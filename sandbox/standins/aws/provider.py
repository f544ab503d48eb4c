"""The AWS provider's side of Pulumi's protocol.

The invariant: what the real plugin would refuse for its inputs is refused; a preview knows no more than the real one; the
engine's state is the only place where a resource exists, so a refresh finds what the last command left.

Source: pulumi v3.259 `proto/pulumi/provider.proto`; which inputs are compared, and that a bridged provider keeps what
it filled in under `__defaults`, from pulumi-terraform-bridge v3 `pkg/tfbridge/provider.go` (Check, Diff, Create).
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass, field
from typing import Final

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from sandbox.standins.aws import answers, lookups, sandbox_services
from sandbox.standins.aws.account import Account, read_account
from sandbox.standins.aws.checking import Problem, check_inputs, check_provider
from sandbox.standins.aws.naming import with_name
from sandbox.standins.aws.neighbours import Neighbours
from sandbox.standins.aws.package_types import ResourceType, UnknownTypeError, resource_type
from sandbox.standins.aws.replacing import compare, deletes_first
from sandbox.standins.diff_message import detailed_diff
from sandbox.standins.plugin_server import Call, Log, Message, PluginError
from sandbox.standins.property_values import Properties, marshal, unmarshal, with_secrets_of, without_secrets
from sandbox.standins.resource_plugin import common_calls
from sandbox.standins.urns import urn_name, urn_type

PACKAGE: Final = "pulumi-aws"


@dataclass(slots=True)
class AwsProvider:
    """One provider instance, as the engine starts it."""

    log: Log
    account: Account | None = None
    neighbours: Neighbours = field(default_factory=Neighbours)
    _said_what_it_is: bool = False

    def calls(self) -> dict[str, Call]:
        """What answers each RPC of the engine."""
        return {
            **common_calls(PACKAGE),
            "CheckConfig": self.check_config,
            "DiffConfig": self.diff_config,
            "Configure": self.configure,
            "Invoke": self.invoke,
            "Check": self.check,
            "Diff": self.diff,
            "Create": self.create,
            "Read": self.read,
            "Update": self.update,
            "Delete": self.delete,
        }

    async def check_config(self, request: Message) -> Message:
        """The provider's settings, with everything that is wrong with them."""
        problems = check_provider(without_secrets(unmarshal(request.news)))
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(problems))

    async def diff_config(self, request: Message) -> Message:
        """A change of the settings replaces nothing but what another region means."""
        old, new = without_secrets(unmarshal(request.olds)), without_secrets(unmarshal(request.news))
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=changed)

    async def configure(self, request: Message) -> Message:
        """Take the settings."""
        self.account = read_account(dict(request.variables))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    async def invoke(self, request: Message) -> Message:
        """Answer a question about the account."""
        arguments = without_secrets(unmarshal(request.args))
        response = provider_pb2.InvokeResponse()
        found = lookups.answer(self._configured(), request.tok, arguments)
        getattr(response, "return").CopyFrom(marshal(found))  # the field's name is a keyword
        return response

    async def check(self, request: Message) -> Message:
        """The inputs with their name, and everything that is wrong with them."""
        resource, news = _resource(request.urn), unmarshal(request.news)
        named = with_name(
            resource,
            urn_name(request.urn),
            news,
            without_secrets(unmarshal(request.olds)),
            seed=request.randomSeed,
            proposed=request.autonaming.proposed_name if request.HasField("autonaming") else "",
        )
        problems = check_inputs(resource, without_secrets(named))
        return provider_pb2.CheckResponse(inputs=marshal(named), failures=_failures(problems))

    async def diff(self, request: Message) -> Message:
        """Which inputs changed, and whether one of them replaces the resource."""
        old = without_secrets(unmarshal(request.old_inputs))
        new = without_secrets(unmarshal(request.news))
        found = compare(urn_type(request.urn), old, new)
        found.ignore(list(request.ignoreChanges))
        some = provider_pb2.DiffResponse.DIFF_SOME if found.fields else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some,
            replaces=found.replaces,
            deleteBeforeReplace=bool(found.replaces) and deletes_first(old, new),
            hasDetailedDiff=True,
            detailedDiff=detailed_diff(found.fields, of_inputs=True),
        )

    async def create(self, request: Message) -> Message:
        """Take the resource in, with what AWS adds to it."""
        resource, given = _resource(request.urn), unmarshal(request.properties)
        inputs, account = without_secrets(given), self._configured()
        await self._say_what_it_is(request.urn)
        if request.preview:
            state = answers.planned(account, resource, inputs)
            return provider_pb2.CreateResponse(properties=_marked(state, given))
        answer = answers.made(account, resource, urn_name(request.urn), inputs)
        self.neighbours.add(resource.token, answer.resource_id, inputs)
        state = await sandbox_services.started(account, resource.token, answer.outputs)
        return provider_pb2.CreateResponse(id=answer.resource_id, properties=_marked(state, given))

    async def read(self, request: Message) -> Message:
        """The resource as the last command left it."""
        if not request.properties.fields:
            raise PluginError(f"{request.id}: the sandbox's stand-in for the AWS plugin has nothing to import from")
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    async def update(self, request: Message) -> Message:
        """The resource with its new inputs."""
        given, account, resource = unmarshal(request.news), self._configured(), _resource(request.urn)
        state = answers.changed(
            account,
            resource,
            without_secrets(unmarshal(request.old_inputs)),
            without_secrets(unmarshal(request.olds)),
            without_secrets(given),
            preview=request.preview,
        )
        if not request.preview:
            state = await sandbox_services.started(account, resource.token, state)
        return provider_pb2.UpdateResponse(properties=_marked(state, given))

    async def delete(self, request: Message) -> Message:
        """Forget the resource."""
        state = without_secrets(unmarshal(request.properties))
        self.neighbours.remove(urn_type(request.urn), request.id, state)
        await sandbox_services.stopped(self._configured(), urn_type(request.urn), state)
        return empty_pb2.Empty()

    async def _say_what_it_is(self, urn: str) -> None:
        """Once in a run: a person must not take what is made here for something in an account."""
        if not self._said_what_it_is:
            self._said_what_it_is = True
            await self.log.warn(urn, "stand-in for the AWS plugin: nothing is made in any account")

    def _configured(self) -> Account:
        if self.account is None:
            raise PluginError("the AWS provider was not configured")
        return self.account


def _resource(urn: str) -> ResourceType:
    """What the package says about a resource's type.

    Raises: PluginError when it has no such type.
    """
    token = urn_type(urn)
    try:
        return resource_type(token)
    except UnknownTypeError:
        version = importlib.metadata.version(PACKAGE)
        raise PluginError(f"{PACKAGE} {version} has no resource {token}") from None


def _failures(problems: list[Problem]) -> list[Message]:
    return [provider_pb2.CheckFailure(property=one.path, reason=f"{one.path} {one.reason}") for one in problems]


def _marked(state: Properties, given: Properties) -> Message:
    """The state as a message, secret where the inputs are."""
    return marshal(with_secrets_of(state, given))
