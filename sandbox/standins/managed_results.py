"""A Valkey in the sandbox in the place of ElastiCache: over TLS, with a password, at a name inside the cluster.

Invariant: its certificate is one that the cluster's authority signed, and pods that are told to speak TLS to their results
store trust that authority; nothing of it touches a fleet whose store runs in its own namespace.
Source: Valkey docs, "TLS Support"; Kubernetes 1.36, `MutatingAdmissionPolicy` and the ConfigMap `kube-root-ca.crt` that
every namespace has; OpenSSL, `SSL_CERT_FILE`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Final, TypeAlias

from sandbox.standins.admission import change_of_new_pods

Manifest: TypeAlias = dict[str, Any]

NAMESPACE: Final = "elasticache"
DOMAIN: Final = f"{NAMESPACE}.svc.cluster.local"
CERTIFICATE_NAME: Final = f"*.{DOMAIN}"
"""What the certificate is for: every store that is stood in for."""

CERTIFICATE: Final = "certificate"
POLICY: Final = "trust-the-sandbox-authority"
TLS_VARIABLE: Final = "FLEET_RESULTS_TLS"
"""Set to `true` in pods whose results store speaks TLS."""

IMAGE: Final = "docker.io/valkey/valkey:8.1"
PORT: Final = 6379
_UID: Final = 999
_FOLDER: Final = "/etc/sandbox"
_AUTHORITY_FOLDER: Final = "/var/run/sandbox-authority"


def host(identifier: str) -> str:
    """The name at which a store is reached."""
    return f"{identifier}.{DOMAIN}"


def prepared(certificate: bytes, key: bytes) -> list[Manifest]:
    """What every store needs: the namespace with the certificate, and pods' trust in it."""
    data = {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": CERTIFICATE, "namespace": NAMESPACE},
            "type": "kubernetes.io/tls",
            "data": data,
        },
        *_trust(),
    ]


def _trust() -> list[Manifest]:
    """The policy that gives the cluster's authority to pods that speak TLS to their results store."""
    speaks_tls = (
        f"object.spec.containers.exists(c, has(c.env) && c.env.exists(e, e.name == '{TLS_VARIABLE}' && has(e.value)"
        " && e.value == 'true'))"
    )
    trusting = f"""
        Object{{spec: Object.spec{{
          volumes: [Object.spec.volumes{{
            name: "sandbox-authority", configMap: Object.spec.volumes.configMap{{name: "kube-root-ca.crt"}}}}],
          containers: object.spec.containers.map(c, Object.spec.containers{{
            name: c.name,
            env: [Object.spec.containers.env{{name: "SSL_CERT_FILE", value: "{_AUTHORITY_FOLDER}/ca.crt"}}],
            volumeMounts: [Object.spec.containers.volumeMounts{{
              name: "sandbox-authority", mountPath: "{_AUTHORITY_FOLDER}", readOnly: true}}]}})}}}}
    """
    return change_of_new_pods(
        POLICY,
        when=("speaks-tls-to-its-results-store", speaks_tls),
        mutation={"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": trusting.strip()}},
    )


def store(identifier: str, password: str) -> list[Manifest]:
    """One store: its configuration, its pod and its address; another password starts another pod."""
    labels = {"app": identifier}
    configuration = "\n".join(
        [
            "port 0", f"tls-port {PORT}", f"tls-cert-file {_FOLDER}/tls.crt", f"tls-key-file {_FOLDER}/tls.key",
            "tls-auth-clients no", "dir /data", 'save ""', "appendonly no", f'requirepass "{password}"', "",
        ]
    )  # fmt: skip
    projected = [
        {"secret": {"name": CERTIFICATE}},
        {"secret": {"name": identifier}},
    ]
    container = {
        "name": "valkey",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["valkey-server", f"{_FOLDER}/valkey.conf"],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 2},
        "volumeMounts": [{"name": "configuration", "mountPath": _FOLDER}, {"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": _UID, "fsGroup": _UID},
        "containers": [container],
        "volumes": [
            {"name": "configuration", "projected": {"sources": projected}},
            {"name": "data", "emptyDir": {}},
        ],
    }
    fingerprint = hashlib.sha256(json.dumps(configuration).encode()).hexdigest()[:16]
    place = {"name": identifier, "namespace": NAMESPACE}
    template = {"metadata": {"labels": labels, "annotations": {"configuration": fingerprint}}, "spec": pod}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": place, "stringData": {"valkey.conf": configuration}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": place,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"selector": labels, "ports": [{"port": PORT}]},
        },
    ]
