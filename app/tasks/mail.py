"""Mail: renders a message from a template; the template comes from the caller, so it is rendered in Jinja's sandbox."""

import time
from typing import Any

from celery import Task, shared_task
from jinja2 import TemplateError
from jinja2.sandbox import SandboxedEnvironment

RELAY_SECONDS = 0.2
"""Stands for the answer of a mail relay."""

_ENVIRONMENT = SandboxedEnvironment(autoescape=True)


@shared_task(name="app.tasks.mail.render", bind=True, max_retries=3)
def render(self: Task, template: str, values: dict[str, Any] | None = None, fail_first: int = 0) -> dict[str, Any]:
    """Renders a mail and returns its text; the first `fail_first` tries meet a relay that is busy, and are tried again a second later."""
    if self.request.retries < fail_first:
        raise self.retry(countdown=1, exc=ConnectionError("the relay is busy"))
    try:
        text = _ENVIRONMENT.from_string(template).render(**(values or {}))
    except TemplateError as error:
        raise ValueError(f"the template cannot be rendered: {error}") from error
    time.sleep(RELAY_SECONDS)
    return {"text": text, "characters": len(text), "tries": self.request.retries + 1}
