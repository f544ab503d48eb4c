"""The web layer: it enqueues tasks and answers about them, and runs none."""
