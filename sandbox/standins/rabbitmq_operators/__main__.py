"""Runs the stand-in until it is told to stop, or prints its CustomResourceDefinitions.

python -m sandbox.standins.rabbitmq_operators           # with KUBECONFIG; the whole cluster
python -m sandbox.standins.rabbitmq_operators --crds    # YAML for `kubectl apply -f -`
"""

import argparse
import asyncio
import sys

import aiohttp

from sandbox.standins.operator_process import NoKubeconfigError, OperatorProcess, log_to_stderr
from sandbox.standins.rabbitmq_operators import DIFFERENCES
from sandbox.standins.rabbitmq_operators.controllers import Controllers, register
from sandbox.standins.rabbitmq_operators.crds import definitions_yaml


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.standins.rabbitmq_operators",
        description="Stand-in for the RabbitMQ cluster operator and the messaging topology operator.",
    )
    parser.add_argument("--crds", action="store_true", help="print the CustomResourceDefinitions and stop")
    if parser.parse_args().crds:
        sys.stdout.write(definitions_yaml())
        return 0
    for difference in DIFFERENCES:
        sys.stdout.write(f"stand-in for the RabbitMQ operators: {difference}\n")
    sys.stdout.flush()
    log_to_stderr()
    try:
        asyncio.run(_run())
    except NoKubeconfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _run() -> None:
    process = OperatorProcess(field_manager="rabbitmq-operators")
    await process.api.open()
    async with aiohttp.ClientSession() as session:
        controllers = Controllers(process.api, session)
        register(process.registry, controllers)
        await process.run(controllers.run())


if __name__ == "__main__":
    sys.exit(main())
