"""The pod's part of the Plan: where it is mounted, and which kind it is."""

import os
from pathlib import Path

from fleet.documents import ProducerDocument, WorkerDocument, load_document
from fleet.errors import FleetError


def document_path() -> Path:
    """Where the pod's ConfigMap is mounted.

    Raises: FleetError when `FLEET_DOCUMENT` is not set.
    """
    path = os.environ.get("FLEET_DOCUMENT", "")
    if not path:
        raise FleetError(
            "FLEET_DOCUMENT", "is not set", "The fleet's Deployments set it; outside a pod use `make shell`."
        )
    return Path(path)


def worker_document() -> WorkerDocument:
    """The document of a worker's pod; see `load_document` for what can be wrong with it."""
    return load_document(document_path(), WorkerDocument)


def producer_document() -> ProducerDocument:
    """The document of a pod that publishes; see `load_document` for what can be wrong with it."""
    return load_document(document_path(), ProducerDocument)
