"""Runs the stand-in until it is told to stop, or prints its CustomResourceDefinitions.

python -m sandbox.standins.cert_manager           # with KUBECONFIG; the whole cluster
python -m sandbox.standins.cert_manager --crds    # YAML for `kubectl apply -f -`
"""

import argparse
import asyncio
import sys

from sandbox.standins.cert_manager import DIFFERENCES
from sandbox.standins.cert_manager.controllers import Controllers, register
from sandbox.standins.cert_manager.crds import definitions_yaml
from sandbox.standins.operator_process import NoKubeconfigError, OperatorProcess, log_to_stderr


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.standins.cert_manager", description="Stand-in for cert-manager."
    )
    parser.add_argument("--crds", action="store_true", help="print the CustomResourceDefinitions and stop")
    if parser.parse_args().crds:
        sys.stdout.write(definitions_yaml())
        return 0
    for difference in DIFFERENCES:
        sys.stdout.write(f"stand-in for cert-manager: {difference}\n")
    sys.stdout.flush()
    log_to_stderr()
    try:
        asyncio.run(_run())
    except NoKubeconfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _run() -> None:
    process = OperatorProcess(field_manager="cert-manager")
    await process.api.open()
    controllers = Controllers(process.api)
    register(process.registry, controllers)
    await process.run(controllers.run())


if __name__ == "__main__":
    sys.exit(main())
