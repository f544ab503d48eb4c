"""Runs a program against a recording engine, and hands back what it registered once everything has drained.

Invariant: assertions come after the run, on plain inputs. Inside `apply` they can be skipped without a word, and absence can only be told
when nothing is registering any more. Source: Pulumi SDK 3.272, `pulumi/runtime/mocks.py` and `pulumi/runtime/stack.py`.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pulumi
from pulumi.runtime import mocks, resource, rpc, settings, stack
from pulumi.runtime.proto import resource_pb2, source_pb2

from tests.infra import aws_answers

SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
"""On the wire a secret is a struct with this signature under the special key."""

SPECIAL_KEY = "4dabf18193072939515e22adb298388d"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the engine heard of it."""

    urn: str
    typ: str
    name: str
    inputs: dict[str, Any]
    parent: str
    depends_on: frozenset[str]
    """URNs, both those said and those that the inputs imply."""
    protect: bool
    ignore_changes: tuple[str, ...]
    delete_before_replace: bool
    provider: str
    aliases: int
    secret_paths: frozenset[str]
    """Input paths that travelled as secrets."""
    secret_outputs: frozenset[str]
    custom: bool
    retain_on_delete: bool = False
    identity: str = ""
    """What the engine calls it; empty for a component."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """What the engine answered: inputs, and what it knows better."""

    @property
    def provider_urn(self) -> frozenset[str]:
        """The URN of the stated provider, which the engine makes first and takes away last; none of a default one."""
        return frozenset({self.provider.rpartition("::")[0]} - {""})

    @property
    def kind(self) -> str:
        """The last word of the type."""
        return self.typ.rsplit(":", 1)[-1]


@dataclass(kw_only=True)
class Recorded:
    """Everything that one run registered."""

    resources: list[Registration] = field(default_factory=list)
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """URN -> what each `register_outputs` call said."""
    exports: dict[str, Any] = field(default_factory=dict)
    """What the stack says when all is done."""

    def of(self, kind: str) -> list[Registration]:
        """All resources whose type ends in `kind`."""
        return [item for item in self.resources if item.kind == kind]

    def one(self, kind: str, name: str | None = None) -> Registration:
        """The only resource of a kind, or the only one with that name in the cluster."""
        found = [item for item in self.of(kind) if name is None or item.inputs["metadata"].get("name") == name]
        assert len(found) == 1, f"{len(found)} {kind} ({name}), of {[item.name for item in self.of(kind)]}"
        return found[0]

    def manifests(self) -> list[dict[str, Any]]:
        """Every Kubernetes object that the program registers itself, under the name that it has in the cluster."""
        found = [item for item in self.resources if item.typ.startswith("kubernetes:") and "apiVersion" in item.inputs]
        return [item.outputs for item in found]

    def by_urn(self) -> dict[str, Registration]:
        """URN -> resource."""
        return {item.urn: item for item in self.resources}

    def ancestors_and_self(self, item: Registration) -> list[Registration]:
        """The resource, its component, that one's component, …"""
        known, found = self.by_urn(), [item]
        while found[-1].parent in known:
            found.append(known[found[-1].parent])
        return found

    def waits_for(self, item: Registration) -> set[str]:
        """URNs of everything that is there before the resource: a child is not registered before its component is, nor anything before its provider."""
        known, seen = self.by_urn(), set[str]()
        queue = [item]
        while queue:
            for holder in self.ancestors_and_self(queue.pop()):
                new = (holder.depends_on | holder.provider_urn) - seen
                seen |= new
                queue += [known[urn] for urn in new if urn in known]
        return seen


def _secret_paths(value: Any, path: str = "") -> set[str]:
    if value.WhichOneof("kind") == "struct_value":
        fields = value.struct_value.fields
        if SPECIAL_KEY in fields and fields[SPECIAL_KEY].string_value == SECRET_SIGNATURE:
            return {path}
        return {found for key, child in fields.items() for found in _secret_paths(child, f"{path}.{key}".lstrip("."))}
    if value.WhichOneof("kind") == "list_value":
        return {
            found
            for index, child in enumerate(value.list_value.values)
            for found in _secret_paths(child, f"{path}[{index}]")
        }
    return set()


def _plain(value: Any) -> Any:
    """The value without the wrapping that marks secrets; a whole number is one again, because the wire knows floats alone."""
    if isinstance(value, dict):
        if SPECIAL_KEY in value:
            return _plain(value["value"])
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Answers(mocks.Mocks):
    """An engine that creates whatever it is asked for, with the names that Kubernetes or a registry would choose."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        outputs = dict(args.inputs)
        if args.typ.startswith("kubernetes:") and isinstance(outputs.get("metadata"), dict):
            outputs["metadata"] = {"name": f"{args.name}-0a1b2c3d", **outputs["metadata"]}
        if args.typ == "docker-build:index:Image":
            outputs["ref"] = f"{args.inputs['tags'][0]}@sha256:{'0' * 64}"
        if args.typ.startswith("aws:"):
            return aws_answers.new_resource(args.typ, args.name, outputs)
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        return aws_answers.call(args.token, args.args), []


class _RecordingMonitor(mocks.MockMonitor):
    """Keeps what `MockResourceArgs` leaves out."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__(_Answers())
        self.recorded = recorded

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 -- gRPC's name
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # the SDK leaves it without types
        if request.type != "pulumi:pulumi:Stack":
            self.recorded.resources.append(_registration(request, answer, self.resources[answer.urn].state))
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 -- gRPC's name
        said = rpc.deserialize_properties(request.outputs)
        self.recorded.outputs.setdefault(request.urn, []).append(said)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]  # the SDK leaves it without types


def _registration(request: resource_pb2.RegisterResourceRequest, answer: Any, outputs: dict[str, Any]) -> Registration:
    implied = {urn for entry in request.propertyDependencies.values() for urn in entry.urns}
    return Registration(
        urn=answer.urn,
        typ=request.type,
        name=request.name,
        inputs=_plain(rpc.deserialize_properties(request.object)),
        parent=request.parent,
        depends_on=frozenset({*request.dependencies, *implied}),
        protect=request.protect,
        ignore_changes=tuple(request.ignoreChanges),
        delete_before_replace=request.deleteBeforeReplace,
        provider=request.provider,
        aliases=len(request.aliases),
        secret_paths=frozenset(
            path for key, value in request.object.fields.items() for path in _secret_paths(value, key)
        ),
        secret_outputs=frozenset(request.additionalSecretOutputs),
        custom=request.custom,
        retain_on_delete=request.retainOnDelete,
        identity=answer.id,
        outputs=_plain(outputs),
    )


async def _call(program: Callable[[], object]) -> None:
    result = program()
    if inspect.isawaitable(result):
        await result
    await _outputs_settled()


async def _outputs_settled() -> None:
    """Returns when no output is unfinished, or one has failed, which the SDK then finds and raises.

    The SDK itself waits anew over all of them for each that finishes (`stacks.pace`), which took a third of a run.
    """
    while unfinished := [task for task in settings.SETTINGS.outputs if not task.done()]:
        done, _ = await asyncio.wait(unfinished, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.cancelled() or task.exception() is not None for task in done):
            return


def _close_thread_loop() -> None:
    with contextlib.suppress(RuntimeError):
        asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)


def record(
    program: Callable[[], object], *, stack_name: str = "local", preview: bool = False, into: Recorded | None = None
) -> Recorded:
    """Runs the program to its end in an event loop of its own.

    `into` also keeps what a program registered before it failed.
    Raises: whatever the program raised, also inside `apply`, once all that it had begun to register is done.
    """
    recorded = Recorded() if into is None else into

    async def run() -> None:
        # One thread answers every request, so the order is the program's and the loop that the SDK makes in it can be closed.
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
        monitor = _RecordingMonitor(recorded)
        # What a failed run left unfinished belongs to a loop that is closed (the SDK's own decorator clears both as well).
        settings.SETTINGS.outputs.clear()
        settings.SETTINGS.rpc_manager.clear()
        mocks.set_mocks(monitor.mocks, project="celery-fleet", stack=stack_name, preview=preview, monitor=monitor)
        try:
            await stack.run_pulumi_func(lambda: _call(program))
            root = settings.get_root_resource()
            assert isinstance(root, stack.Stack)
            recorded.exports |= await pulumi.Output.all(**root.outputs).future() or {}
        finally:
            settings.reset_options()
            await loop.run_in_executor(None, _close_thread_loop)

    # The engine is told which line of which file asks for each resource, through the seventy frames of a test; nobody here reads it,
    # and to find out took a fourth of a run.
    with mock.patch.object(resource, "_get_stack_trace", source_pb2.StackTrace):
        asyncio.run(run())
    return recorded
