"""The tasks: each a few lines that do real work. A task's queue stands in queues.yaml, never here."""
