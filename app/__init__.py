"""What runs in the containers: the Celery application, its web layer and its workers, configured from the Plan alone."""
