"""The worker of one broker queue: `python -m app.worker`."""
