"""Every version of the infrastructure, in one place: what is deployed and what a cluster has to bring.

Invariant: an image or chart is named here and nowhere else. Celery and kombu are pinned in `requirements/`, because images are built from there.
"""

KUBERNETES_MINIMUM = (1, 35)
"""Oldest Kubernetes that is supported; 1.36 is the one everything is tested on."""

RABBITMQ_IMAGE = "docker.io/library/rabbitmq:4.3.6-management"
VALKEY_IMAGE = "docker.io/valkey/valkey:8.1"
PYTHON_IMAGE = "docker.io/library/python:3.13-slim"

CERT_MANAGER = "1.19.2"
"""Chart and application version alike."""

METRICS_SERVER_CHART = "3.13.0"
KEDA = "2.21.0"
"""Chart and application version alike."""

RABBITMQ_CLUSTER_OPERATOR = "2.21.1"
RABBITMQ_TOPOLOGY_OPERATOR = "1.20.1"
