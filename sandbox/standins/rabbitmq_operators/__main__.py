"""Runs the stand-in until it is told to stop, or prints its CustomResourceDefinitions.

python -m sandbox.standins.rabbitmq_operators           # with KUBECONFIG; the whole cluster
python -m sandbox.standins.rabbitmq_operators --crds    # YAML for `kubectl apply -f -`
"""

import sys

import aiohttp

from sandbox.standins.operator_process import OperatorProcess, operator_main
from sandbox.standins.rabbitmq_operators import DIFFERENCES
from sandbox.standins.rabbitmq_operators.controllers import Controllers, register
from sandbox.standins.rabbitmq_operators.crds import definitions_yaml


def main() -> int:
    """The exit code."""
    return operator_main(
        "sandbox.standins.rabbitmq_operators",
        "the RabbitMQ operators",
        differences=DIFFERENCES,
        definitions=definitions_yaml,
        work=_run,
    )


async def _run() -> None:
    process = OperatorProcess(field_manager="rabbitmq-operators")
    await process.api.open()
    async with aiohttp.ClientSession() as session:
        controllers = Controllers(process.api, session)
        register(process.registry, controllers)
        await process.run(controllers.run())


if __name__ == "__main__":
    sys.exit(main())
