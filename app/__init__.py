"""What runs in the containers: the Celery application, its workers, its web layer and its scheduler.

The Plan arrives as one JSON document a pod (`fleet.documents`), connection facts by `FLEET_*` variables; nothing here knows Kubernetes or Pulumi.
"""
