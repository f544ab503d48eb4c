"""How a stand-in controller runs: its connection, its kopf settings, and its end.

Invariant: the process leaves no mark of its own on the objects that it watches (no kopf annotations, finalizers or
events), asks the API server only for what it watches, and ends with an error when any part of it ends with one.
Facts from: kopf 1.45 `kopf/_cogs/configs/configuration.py`.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any

import kopf

from sandbox.standins.api_server import ApiServer

_SHUTDOWN_SECONDS = 5.0


class NoKubeconfigError(Exception):
    """There is no cluster to work on; the text says what to set."""


class OperatorProcess:
    """One stand-in controller: watch with `registry`, read and write with `api`."""

    def __init__(self, *, field_manager: str) -> None:
        if not os.environ.get("KUBECONFIG"):
            raise NoKubeconfigError("KUBECONFIG is not set: name the kubeconfig of the cluster to work on")
        self.registry = kopf.OperatorRegistry()
        self._settings = kopf.OperatorSettings()
        self._settings.posting.enabled = False
        self._settings.process.ultimate_exiting_timeout = _SHUTDOWN_SECONDS
        connection = kopf.login_with_kubeconfig(settings=self._settings)
        if connection is None:
            raise NoKubeconfigError(f"KUBECONFIG={os.environ['KUBECONFIG']} holds no connection")
        self.api = ApiServer(connection, field_manager=field_manager)

        @kopf.on.login(registry=self.registry, id="kubeconfig")
        def login(**_: object) -> kopf.ConnectionInfo:
            return connection

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Watch, and do `work` beside it, until a signal comes or one of the two fails."""
        try:
            async with asyncio.TaskGroup() as group:
                working = group.create_task(work)
                await kopf.operator(registry=self.registry, settings=self._settings, clusterwide=True, standalone=True)
                working.cancel()
        finally:
            await self.api.close()


def log_to_stderr() -> None:
    """One line an event of ours; kopf's own chatter about every event stays out."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
