"""The Celery application that the catalogue names, whoever wrote it."""

import importlib
import os

from celery import Celery

from app.document import producer_document, worker_document
from app.settings import configure
from fleet.documents import ProducerDocument, WorkerDocument
from fleet.errors import FleetError


def load_application(reference: str) -> Celery:
    """The Celery application that `module:attribute` names.

    Raises: FleetError when the module or the attribute is not there, or is no Celery application.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise FleetError(
            f"application {reference}", f"cannot be loaded: {error}", "Name module:attribute of the image's code."
        ) from error
    if not isinstance(found, Celery):
        raise FleetError(
            f"application {reference}", f"is a {type(found).__name__}", "It has to be a celery.Celery instance."
        )
    return found


def configure_from_environment(app: Celery) -> None:
    """Configures an application by the document that `FLEET_DOCUMENT` names, a worker's or a producer's."""
    document: ProducerDocument | WorkerDocument
    try:
        document = worker_document()
    except FleetError:
        document = producer_document()
    configure(app, document, os.environ)
