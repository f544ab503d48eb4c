"""Mails from templates."""

import time
from functools import cache
from typing import Any

from app.celery_app import celery_app

RELAY_SECONDS = 0.2
"""Handing the mail over; a real relay is spoken to over SMTP and waits as this does."""

TEMPLATES = {
    "order": "Dear {{ name }},\n\nyour order {{ order_id }} is on its way.\n",
    "digest": "Dear {{ name }},\n\n{% for line in lines %}- {{ line }}\n{% else %}nothing happened this hour.\n{% endfor %}",
}


@cache
def _environment() -> Any:
    # Imported by the first mail: workers of other queues start without it.
    from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape  # noqa: PLC0415

    return Environment(loader=DictLoader(TEMPLATES), undefined=StrictUndefined, autoescape=select_autoescape())


@celery_app.task
def render(template: str, values: dict[str, Any]) -> dict[str, str]:
    """Render a mail and hand it over; a template or a value that is missing is named."""
    if template not in TEMPLATES:
        raise ValueError(f"there is no template {template!r}; there are {', '.join(sorted(TEMPLATES))}")
    body = _environment().get_template(template).render({"lines": [], **values})
    time.sleep(RELAY_SECONDS)
    return {"template": template, "body": body}
