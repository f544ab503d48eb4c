"""Runs the stand-in until it is told to stop, or prints its CustomResourceDefinitions.

python -m sandbox.standins.cert_manager           # with KUBECONFIG; the whole cluster
python -m sandbox.standins.cert_manager --crds    # YAML for `kubectl apply -f -`
"""

import sys

from sandbox.standins.cert_manager import DIFFERENCES
from sandbox.standins.cert_manager.controllers import Controllers, register
from sandbox.standins.cert_manager.crds import definitions_yaml
from sandbox.standins.operator_process import OperatorProcess, operator_main


def main() -> int:
    """The exit code."""
    return operator_main(
        "sandbox.standins.cert_manager",
        "cert-manager",
        differences=DIFFERENCES,
        definitions=definitions_yaml,
        work=_run,
    )


async def _run() -> None:
    process = OperatorProcess(field_manager="cert-manager")
    await process.api.open()
    controllers = Controllers(process.api)
    register(process.registry, controllers)
    await process.run(controllers.run())


if __name__ == "__main__":
    sys.exit(main())
