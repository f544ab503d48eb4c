"""How a stand-in controller runs: its connection, its kopf settings, and its end.

Invariant: the process leaves no mark of its own on the objects that it watches (no kopf annotations, finalizers or
events), asks the API server only for what it watches, and ends with an error when any part of it ends with one.
Facts from: kopf 1.45 `kopf/_cogs/configs/configuration.py`.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import kopf
import yaml

from sandbox.standins.api_server import ApiServer

_SHUTDOWN_SECONDS = 5.0


class NoKubeconfigError(Exception):
    """There is no cluster to work on; the text says what to set."""


class OperatorProcess:
    """One stand-in controller: watch with `registry`, read and write with `api`."""

    def __init__(self, *, field_manager: str) -> None:
        self.registry = kopf.OperatorRegistry()
        self._settings = kopf.OperatorSettings()
        self._settings.posting.enabled = False
        self._settings.process.ultimate_exiting_timeout = _SHUTDOWN_SECONDS
        connection = _connection(self._settings)
        self.api = ApiServer(connection, field_manager=field_manager)

        @kopf.on.login(registry=self.registry, id="kubeconfig")
        def login(**_: object) -> kopf.ConnectionInfo:
            return connection

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Watch, and do `work` beside it, until a signal comes or one of the two fails."""
        stop = asyncio.Event()
        working = asyncio.create_task(work)
        working.add_done_callback(lambda _: stop.set())

        # In kopf's own clean-up, because kopf waits seconds for tasks that it finds still running after it.
        @kopf.on.cleanup(registry=self.registry, id="end-work")
        async def end_work(**_: object) -> None:
            working.cancel()

        try:
            await kopf.operator(
                registry=self.registry,
                settings=self._settings,
                clusterwide=True,
                standalone=True,
                stop_flag=stop,
            )
        finally:
            working.cancel()
            await asyncio.wait([working])
            await self.api.close()
        if not working.cancelled():
            working.result()  # raises what the work ended with


def _connection(settings: kopf.OperatorSettings) -> kopf.ConnectionInfo:
    path = os.environ.get("KUBECONFIG")
    if not path:
        raise NoKubeconfigError("KUBECONFIG is not set: name the kubeconfig of the cluster to work on")
    try:
        connection = kopf.login_with_kubeconfig(settings=settings)
    except OSError as error:
        raise NoKubeconfigError(f"KUBECONFIG={path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, kopf.LoginError) as error:
        raise NoKubeconfigError(f"KUBECONFIG={path} is no kubeconfig with a current context: {error}") from None
    if connection is None:
        raise NoKubeconfigError(f"KUBECONFIG={path} holds no connection")
    return connection


def run_until_told(work: Coroutine[Any, Any, None]) -> int:
    """Do a stand-in's work, one line an event of ours on standard error; the exit code.

    kopf's own chatter about every event stays out.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        asyncio.run(work)
    except NoKubeconfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def operator_main(
    package: str,
    stands_for: str,
    *,
    differences: Iterable[str],
    definitions: Callable[[], str],
    work: Callable[[], Coroutine[Any, Any, None]],
) -> int:
    """The command line of a stand-in with kinds of its own, `python -m <package> [--crds]`; the exit code.

    `definitions` gives its CustomResourceDefinitions as YAML.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=f"Stand-in for {stands_for}.")
    parser.add_argument("--crds", action="store_true", help="print the CustomResourceDefinitions and stop")
    if parser.parse_args().crds:
        sys.stdout.write(definitions())
        return 0
    for difference in differences:
        sys.stdout.write(f"stand-in for {stands_for}: {difference}\n")
    sys.stdout.flush()
    return run_until_told(work())
