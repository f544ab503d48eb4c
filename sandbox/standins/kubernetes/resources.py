"""The life of one resource: created, updated, read and deleted, with the state the engine keeps of it.

The invariant: whatever exists in the cluster after a step is in the state that the step returns or fails with, so that
the next run continues where this one stopped.

Source: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (Create, Read, Update, Delete).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from sandbox.standins.kubernetes import values
from sandbox.standins.kubernetes.client import ApiError, NoSuchKindError
from sandbox.standins.kubernetes.cluster import Cluster
from sandbox.standins.kubernetes.naming import (
    annotation,
    kind_of_token,
    metadata_of,
    name_of,
    object_id,
    parse_id,
)
from sandbox.standins.kubernetes.normalize import READ_ONLY_METADATA, normalized, pruned
from sandbox.standins.kubernetes.objects import Objects
from sandbox.standins.kubernetes.planning import is_definition, refuse_foreign_type
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.kubernetes.waiting import NotReadyError
from sandbox.standins.plugin_server import InitFailedError, PluginError
from sandbox.standins.property_values import has_unknown, marshal
from sandbox.standins.urns import unique_name, urn_type

PATCH_MANAGER_ANNOTATION: Final = "pulumi.com/patchFieldManager"

SERVER_ANNOTATIONS: Final = ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")
"""Written by controllers and kubectl; an imported resource's inputs do not repeat them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A resource as the engine keeps it; an empty id means that it does not exist."""

    resource_id: str = ""
    state: Manifest | None = None
    inputs: Manifest | None = None


async def created(cluster: Cluster, urn: str, given: Manifest, *, timeout_seconds: float, preview: bool) -> Outcome:
    """The resource after its creation and the wait for it; in a preview, what the API server says it would be.

    Raises: InitFailedError when it exists but is not ready; PluginError when it was not created.
    """
    inputs = values.plain(given)
    if preview and (has_unknown(inputs) or not await cluster.is_served(inputs)):
        return Outcome(state=given)
    objects, waiting = cluster.reached()
    manager = _field_manager(inputs, {})
    try:
        live = await objects.create(urn, inputs, manager=manager, preview=preview)
    except ApiError as error:
        unclear = error.is_missing_namespace or error.reason in ("AlreadyExists", "Forbidden")
        if preview and (unclear or "does not support dry run" in str(error)):
            # The namespace, or the end of an object that is to be replaced, is a part of this same run.
            return Outcome(state=given)
        raise PluginError(
            f'resource "{urn}" was not successfully created by the Kubernetes API server: {error}'
        ) from None
    except NoSuchKindError as error:
        raise PluginError(
            f'creation of resource "{urn}" failed because the Kubernetes API server reported that the apiVersion for '
            f"this resource does not exist. Verify that any required CRDs have been created: {error}"
        ) from None
    if preview:
        return Outcome(state=_state(inputs, {**live, "status": None}, given, manager))
    if is_definition(inputs):
        await objects.client.discover()
    try:
        live = await waiting.until_ready(urn, inputs, live, timeout_seconds)
    except NotReadyError as error:
        message = (
            f'resource "{urn}" was successfully created, but the Kubernetes API server reported that it failed to '
            f"fully initialize or become live: {error}"
        )
        _fail_initialized(message, error.reasons, _state(inputs, error.live, given, manager))
    return Outcome(object_id(live), _state(inputs, live, given, manager))


async def updated(
    cluster: Cluster,
    urn: str,
    olds: Manifest,
    news: Manifest,
    *,
    ignored: list[str],
    timeout_seconds: float,
    preview: bool,
) -> Manifest:
    """The resource's state after the new inputs were applied and the wait for it.

    Raises: InitFailedError when the object exists but refused the inputs or is not ready; PluginError when it is gone.
    """
    inputs = normalized(values.plain(news))
    if preview and (has_unknown(inputs) or not await cluster.is_served(inputs)):
        return news
    objects, waiting = cluster.reached()
    _, old_live = values.parse_checkpoint(olds)
    manager, initial = _field_manager(inputs, olds), str(olds.get(values.INITIAL_API_VERSION_KEY) or "")
    try:
        before = await objects.live(inputs, name_of(old_live))
        live = await objects.update(inputs, before, manager=manager, ignored=ignored, preview=preview)
        if not preview:
            live = await waiting.until_ready(urn, inputs, live, timeout_seconds)
    except (ApiError, NotReadyError, PluginError) as error:
        if preview and isinstance(error, ApiError) and error.reason == "Forbidden":
            return news
        live = await _live_after_failure(objects, urn, inputs, old_live, error)
        message = (
            f'the Kubernetes API server reported that "{object_id(live)}" failed to fully initialize '
            f"or become live: {error}"
        )
        reasons = error.reasons if isinstance(error, NotReadyError) else ()
        _fail_initialized(message, reasons, _state(inputs, live, news, manager, initial))
    return _state(inputs, live, news, manager, initial)


async def _live_after_failure(
    objects: Objects, urn: str, inputs: Manifest, old_live: Manifest, error: PluginError
) -> Manifest:
    try:
        return await objects.live(inputs, name_of(old_live))
    except PluginError as second:
        raise PluginError(
            f'update of resource "{urn}" failed: {error}\nunable to get cluster state: {second}'
        ) from None


async def read(cluster: Cluster, urn: str, resource_id: str, state: Manifest, given: Manifest) -> Outcome:
    """The resource as the cluster has it now; nothing when it is gone; without previous inputs, as an import sees it.

    Raises: InitFailedError when it exists but is not ready; PluginError when the cluster cannot be asked.
    """
    refuse_foreign_type(urn_type(urn))
    if cluster.objects is None and cluster.settings.delete_unreachable:
        return Outcome()
    objects, waiting = cluster.reached()
    inputs = normalized(values.plain(given))
    namespace, name = parse_id(resource_id)
    imported = not inputs.get("kind")
    if imported:
        kind = kind_of_token(urn_type(urn))
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        inputs = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    try:
        live = await objects.live(inputs, name)
    except NoSuchKindError:
        return Outcome()
    except ApiError as error:
        if error.code == 404:
            return Outcome()
        raise
    live_inputs = imported_inputs(live) if imported else pruned(live, inputs)
    manager = _field_manager(inputs, state)
    initial = str(state.get(values.INITIAL_API_VERSION_KEY) or inputs["apiVersion"])
    new_state = _state(live_inputs, live, given, manager, initial)
    marked = values.with_secrets_of(values.underscored(live_inputs), given)
    if not imported:
        try:
            await waiting.check_once(inputs, live)
        except NotReadyError as error:
            _fail_initialized(str(error), error.reasons, new_state, resource_id=resource_id, inputs=marked)
    return Outcome(resource_id, new_state, marked)


def imported_inputs(live: Manifest) -> Manifest:
    """What a program would have to say to make this object: all but status and what only the server writes."""
    metadata = {key: value for key, value in metadata_of(live).items() if key not in READ_ONLY_METADATA}
    if isinstance(metadata.get("annotations"), dict):
        kept = {key: value for key, value in metadata["annotations"].items() if key not in SERVER_ANNOTATIONS}
        metadata["annotations"] = kept
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata}


async def deleted(cluster: Cluster, urn: str, state: Manifest, *, timeout_seconds: float) -> None:
    """Delete the resource and wait until it is gone; one whose kind is gone is gone, too.

    Raises: InitFailedError when it is still there after the time allowed; PluginError when it cannot be deleted.
    """
    if cluster.objects is None and cluster.settings.delete_unreachable:
        return
    _, waiting = cluster.reached()
    inputs, live = values.parse_checkpoint(state)
    try:
        await waiting.until_gone(urn, inputs, live, timeout_seconds)
    except NoSuchKindError:
        return
    except NotReadyError as error:
        manager = _field_manager(inputs, state)
        _fail_initialized(str(error), error.reasons, _state(inputs, error.live, state, manager))


def _field_manager(inputs: Manifest, state: Manifest) -> str:
    """The name under which the resource applies its fields: stated, else as before, else new."""
    stated = annotation(inputs, PATCH_MANAGER_ANNOTATION) or state.get(values.FIELD_MANAGER_KEY)
    return str(stated) if stated else unique_name("pulumi-kubernetes-", b"")


def _state(inputs: Manifest, live: Manifest, given: Manifest, manager: str, initial: str = "") -> Manifest:
    present = {key: value for key, value in live.items() if value is not None}
    return values.checkpoint(
        inputs, present, given, initial_api_version=initial or str(inputs.get("apiVersion", "")), field_manager=manager
    )


def _fail_initialized(
    message: str, reasons: tuple[str, ...], state: Manifest, *, resource_id: str = "", inputs: Manifest | None = None
) -> NoReturn:
    raise InitFailedError(
        message,
        resource_id=resource_id or object_id(values.plain(state)),
        state=marshal(state),
        reasons=[message, *reasons],
        inputs=None if inputs is None else marshal(inputs),
    )
