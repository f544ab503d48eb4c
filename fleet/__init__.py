"""The queue catalogue and every value derived from it.

The core is pure Python: it imports no Pulumi, no Celery and no Kubernetes client, so that the same arithmetic serves the
workers, the infrastructure, the command line and the tests.
"""
