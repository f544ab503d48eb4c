"""Creating, updating, reading and deleting objects: what the provider does to the cluster, without Pulumi's messages.

The invariant: an object that already exists is never created over, a preview never changes anything, and every refusal
of the API server is passed on in the server's own words.

Source: pulumi-kubernetes v4.32 `provider/pkg/await/await.go` (Creation, Update, updateResource, ssaUpdate, Read).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from sandbox.standins.kubernetes.client import ApiError, KubernetesClient, NoSuchKindError
from sandbox.standins.kubernetes.field_ownership import (
    CREATE_MANAGER,
    must_force,
    takeover_patch,
    without_ignored,
)
from sandbox.standins.kubernetes.naming import kind_of, metadata_of, name_of, namespace_of
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import Log, PluginError

CREATE_RETRY_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""An object may be created a little before its namespace or its kind's definition; patience in the plugin's steps."""

TAKEOVER_TRIES: Final = 5

CONFLICT_HELP: Final = (
    "https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/"
    "#handle-field-conflicts-on-existing-resources"
)

EXISTS_HELP: Final = """

The resource already exists in the cluster. This can happen when:

  - a Pulumi resource was renamed: use an alias to keep its identity;
  - the object was made by hand or by another program: `pulumi import` adopts it."""


@dataclass(slots=True)
class Objects:
    """The objects of one cluster."""

    client: KubernetesClient
    log: Log
    server_side_apply: bool
    force_patches: bool
    upsert_existing: bool

    async def create(self, urn: str, inputs: Manifest, *, manager: str, preview: bool) -> Manifest:
        """The object as created; in a real run, a missing namespace or kind is waited for a little.

        Raises: ApiError, NoSuchKindError; PluginError when the object exists already.
        """
        waits = () if preview else CREATE_RETRY_SECONDS
        for attempt, seconds in enumerate((*waits, None)):
            try:
                if self.upsert_existing and self.server_side_apply:
                    return await self._applied(inputs, {}, manager=manager, preview=preview)
                return await self.client.create(inputs, manager=CREATE_MANAGER, dry_run=preview)
            except (ApiError, NoSuchKindError) as error:
                if isinstance(error, ApiError) and error.reason == "AlreadyExists" and not preview:
                    raise PluginError(f"{error}{EXISTS_HELP}") from None
                missing = isinstance(error, NoSuchKindError) or error.reason == "NotFound"
                if seconds is None or not missing:
                    raise
                await self.log.status(urn, f"Retry #{attempt}; creation failed: {error}")
                await asyncio.sleep(seconds)
        raise AssertionError("the last attempt returns or raises")

    async def update(
        self, inputs: Manifest, live: Manifest, *, manager: str, ignored: list[str], preview: bool
    ) -> Manifest:
        """The object after the inputs were applied to it.

        Raises: ApiError; PluginError when other managers own fields that the inputs change.
        """
        if kind_of(inputs).kind == "CustomResourceDefinition":
            # Replaced as a whole: an apply would leave versions and schemas of the previous release behind.
            version = metadata_of(live).get("resourceVersion")
            whole = {**inputs, "metadata": {**metadata_of(inputs), "resourceVersion": version}}
            return await self.client.replace(whole, manager=manager, dry_run=preview)
        if not preview:
            live = await self._taken_over(live, manager)
        kept = without_ignored(inputs, live, ignored, manager)
        return await self._applied(kept, live, manager=manager, preview=preview)

    async def _taken_over(self, live: Manifest, manager: str) -> Manifest:
        """The object with the fields of its creation in our apply manager's hands."""
        for attempt in range(TAKEOVER_TRIES):
            operations = takeover_patch(live, manager)
            if not operations:
                break
            try:
                return await self.client.patch(live, operations)
            except ApiError as error:
                # Its controller wrote the object between the two requests.
                if error.reason != "Conflict" or attempt == TAKEOVER_TRIES - 1:
                    raise
                live = await self.live(live)
        return live

    async def _applied(self, inputs: Manifest, live: Manifest, *, manager: str, preview: bool) -> Manifest:
        force = must_force(inputs, live, always=self.force_patches, preview=preview)
        try:
            return await self.client.apply(inputs, manager=manager, force=force, dry_run=preview)
        except ApiError as error:
            if error.reason != "Conflict":
                raise
            raise PluginError(
                f"server-side apply field conflict detected, see {CONFLICT_HELP} for troubleshooting help\n"
                f'The resource managed by field manager "{manager}" had an apply conflict: {error}'
            ) from None

    async def live(self, manifest: Manifest, name: str = "") -> Manifest:
        """The live object of the manifest's kind and namespace."""
        return await self.client.get(kind_of(manifest), namespace_of(manifest), name or name_of(manifest))

    async def is_namespaced(self, manifest: Manifest) -> bool:
        """Whether the kind lives in namespaces; assumed of a kind that the cluster does not serve yet."""
        try:
            return (await self.client.endpoint(kind_of(manifest))).namespaced
        except NoSuchKindError:
            return True

    async def is_served(self, manifest: Manifest) -> bool:
        """Whether the cluster serves the kind."""
        try:
            await self.client.endpoint(kind_of(manifest))
        except NoSuchKindError:
            return False
        return True
