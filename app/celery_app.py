"""The Celery application of this repository: its tasks and its schedule, and nothing about brokers or queues.

`app.settings.configure` lays the Plan over it wherever it runs; imported where `FLEET_DOCUMENT` is set (a pod, `make shell`) it configures itself,
so that the plain `celery -A app.celery_app` works there.
"""

import os

from celery import Celery
from celery.schedules import crontab

celery_app = Celery(
    "celery-fleet",
    include=["app.tasks.orders", "app.tasks.mail", "app.tasks.images", "app.tasks.reports"],
)
celery_app.conf.beat_schedule = {
    "hourly-digest": {
        "task": "app.tasks.mail.render",
        "schedule": crontab(minute="0"),
        "kwargs": {"template": "Hourly digest for {{ name }}", "values": {"name": "operations"}},
    },
}

if os.environ.get("FLEET_DOCUMENT"):
    from app.application import configure_from_environment

    configure_from_environment(celery_app)
