module celery-fleet.local/sandbox/pause

go 1.26
