"""How fast tasks are published, drained and taken over HTTP, beside stock Celery and the bare client: `python -m bench.throughput`."""
