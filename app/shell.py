"""Celery's configuration for the `celery` command in a shell: `make shell` names this module in `CELERY_CONFIG_MODULE`.

A worker is configured by its program; Celery's own command line imports an application as it is, whoever wrote it, and reads its settings from the
module that this variable names. The settings are those of a publisher, from the document and the variables that a pod gets.
"""

import os
from pathlib import Path

from app.connections import read_connections
from app.settings import derive_settings
from fleet.documents import ProducerDocument, load_document

# Celery reads the attributes of the module; which ones there are is decided by the plan.
globals().update(
    {
        name: setting.value
        for name, setting in derive_settings(
            load_document(Path(os.environ["FLEET_DOCUMENT"]), ProducerDocument), read_connections(os.environ)
        ).items()
    }
)
