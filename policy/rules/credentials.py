"""Where credentials may not stand: in whatever can be read without the right to read Secrets.

Invariant: no finding repeats what it found.
Sources: Kubernetes docs, "Good practices for Kubernetes Secrets"; kombu 5.7 (a broker URL without a user logs in as guest); KEDA 2.21 docs,
"Authentication" (trigger metadata is plain text; `…FromEnv` names a variable of the scaled pods).
"""

import re
from collections.abc import Iterator

from fleet.credentials import KEYS, PASSWORD_IN_URL, SECRET_NAME
from policy.graph import UNKNOWN, Resource, at, items, section, texts
from policy.pods import BROKERS, WORKLOADS, containers, pod_of
from policy.rule import Finding, ResourceRule

BROKER_URL = re.compile(r"\b(?:py)?amqps?://(?!\$\()", re.IGNORECASE)

SETTING = re.compile(
    r"""(?im)^\s*(?:default_pass|requirepass|masterauth)\b\s*[=\s]\s*\S|"[a-z_]*(?:password|secret|token)"\s*:\s*"[^"]""",
)
"""A line of rabbitmq.conf or valkey.conf, or an entry of JSON, that states a credential."""


def _kind_of_credential(value: str) -> str | None:
    if PASSWORD_IN_URL.search(value):
        return "is a URL with a password in clear"
    if BROKER_URL.search(value):
        return "is the URL of a broker in clear"
    if KEYS.search(value):
        return "holds a key in clear"
    return None


def _in_pods(resource: Resource) -> Iterator[Finding]:
    pod = pod_of(resource.properties, resource.kind) or {}
    named = set[str]()
    for where, container in containers(pod):
        for variable in items(container, "env"):
            name, value = at(variable, "name"), at(variable, "value")
            if isinstance(name, str) and isinstance(value, str) and _is_plain(value) and SECRET_NAME.search(name):
                named.add(value)
                yield Finding(resource=resource, where=f"{where}.env[{name}]", problem="has its value in clear")
    for where, value in texts(pod):
        if value not in named and (problem := _kind_of_credential(value)) is not None:
            yield Finding(resource=resource, where=f"pod.{where}", problem=problem)


def _is_plain(value: str) -> bool:
    return value not in {"", UNKNOWN} and not re.fullmatch(r"\$\([A-Za-z0-9_.-]+\)", value)


def _in_settings(resource: Resource) -> Iterator[Finding]:
    """In what is plain text in the cluster: ConfigMaps, and what a RabbitmqCluster says of rabbitmq.conf."""
    parts = ("spec.rabbitmq", "spec.override") if resource.kind == "RabbitmqCluster" else ("data", "binaryData")
    for part in parts:
        for where, value in texts(section(resource.properties, part), part):
            problem = _kind_of_credential(value) or ("states a password in clear" if SETTING.search(value) else None)
            if problem is not None:
                yield Finding(resource=resource, where=where, problem=problem)


def _in_triggers(resource: Resource) -> Iterator[Finding]:
    for index, trigger in enumerate(items(resource.properties, "spec.triggers")):
        for name, value in section(trigger, "metadata").items():
            where = f"spec.triggers[{at(trigger, 'name') or index}].metadata.{name}"
            if not isinstance(value, str) or value in {"", UNKNOWN}:
                continue
            if SECRET_NAME.search(name) or name.lower() in {"username", "user"}:
                yield Finding(resource=resource, where=where, problem="is a credential")
            elif "@" in value and "://" in value:
                yield Finding(resource=resource, where=where, problem="is a URL with a user in it")


def _plain(resource: Resource) -> Iterator[Finding]:
    in_settings = resource.kind in {"ConfigMap", "RabbitmqCluster"}
    yield from _in_settings(resource) if in_settings else _in_pods(resource)


RULES = (
    ResourceRule(
        id="plain-credentials",
        says="No pod, ConfigMap or broker setting holds a credential or the URL of a broker in clear.",
        reason="Whoever may look at a pod or a ConfigMap reads it, and it stays in the state, in logs and in every backup.",
        fix="Read it from a Secret: env[].valueFrom.secretKeyRef, or a mounted Secret; for a queue's pods, pod.secrets in the catalogue.",
        types=(*WORKLOADS, *BROKERS, "kubernetes:core/v1:ConfigMap"),
        check=_plain,
    ),
    ResourceRule(
        id="trigger-credentials",
        says="No trigger of a ScaledObject holds a credential.",
        reason="Trigger metadata is plain text, which everybody reads who may look at the autoscaler.",
        fix="Name a TriggerAuthentication in authenticationRef, which reads username and password from a Secret.",
        types=("kubernetes:keda.sh/*:ScaledObject", "kubernetes:keda.sh/*:ScaledJob"),
        check=_in_triggers,
    ),
)
