"""Finds the user's Celery application by its name, `module:attribute`."""

import importlib
from typing import Any

from celery import Celery

from fleet.errors import FleetError


def load_application(name: str) -> Any:
    """The Celery application, with the modules it includes imported and its tasks registered.

    Raises: FleetError when the module cannot be imported, or the attribute is missing or no Celery application.
    """
    module_name, separator, attribute = name.partition(":")
    if not (separator and module_name and attribute):
        raise FleetError(f"application {name}", "is not of the form module:attribute", "For example shop.celery:app.")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise FleetError(
            f"application {name}",
            f"module {module_name} cannot be imported: {error}",
            "Its package has to be in the image (and, for `pulumi up`, importable from the project's root).",
        ) from error
    app = getattr(module, attribute, None)
    if not isinstance(app, Celery):
        found = "nothing" if app is None else f"a {type(app).__name__}"
        raise FleetError(
            f"application {name}", f"{attribute} is {found}, no Celery application", "Name the Celery object there."
        )
    return app


def register_tasks(app: Any) -> list[str]:
    """Import what the application includes and finalize it; the names of its own tasks, sorted."""
    app.loader.import_default_modules()
    app.finalize(auto=True)
    return sorted(name for name in app.tasks if not name.startswith("celery."))
