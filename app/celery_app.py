"""The sample application: four kinds of tasks and a digest every hour.

It holds nothing of the fleet: settings come from the Plan at start-up (`app.settings.configure`), as they would for any Celery application.
"""

from celery import Celery
from celery.schedules import crontab

celery_app = Celery("app", include=["app.tasks.orders", "app.tasks.mail", "app.tasks.images", "app.tasks.reports"])

celery_app.conf.beat_schedule = {
    "hourly-digest": {
        "task": "app.tasks.mail.render",
        "schedule": crontab(minute=0),
        "kwargs": {"template": "digest", "values": {"name": "team"}},
    }
}
