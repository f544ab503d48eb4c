"""From a resource's `rabbitmqClusterReference` to a connection with the broker's management API.

Invariant: a resource reaches a broker of another namespace only where that broker's owner allowed its namespace.
Facts from: messaging-topology-operator v1.20.1 `rabbitmqclient/cluster_reference.go`. One difference: the stand-in runs
beside the node, without cluster DNS, so it calls the Service by address and gives its name only to TLS.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.standins.api_server import ApiServer, Key, Object
from sandbox.standins.rabbitmq_operators.cluster_spec import RabbitmqCluster
from sandbox.standins.rabbitmq_operators.configuration import parse_settings
from sandbox.standins.rabbitmq_operators.management_api import Connection
from sandbox.standins.secret_data import decode_data

ALLOWED_NAMESPACES_ANNOTATION: Final = "rabbitmq.com/topology-allowed-namespaces"
URI_ANNOTATION: Final = "rabbitmq.com/operator-connection-uri"

OPERATOR_NAMESPACE: Final = "rabbitmq-system"
"""Where the operator runs, and so where what it mounts lies."""


class ClusterReferenceError(Exception):
    """The reference leads to no usable broker; the text is fit for a condition's message."""


class NoSuchClusterError(ClusterReferenceError):
    """The RabbitmqCluster, or what it takes to reach it, is gone."""


class NamespaceNotAllowedError(ClusterReferenceError):
    """The broker's owner has not allowed the resource's namespace."""


class ScaledToZeroError(ClusterReferenceError):
    """The broker has been stopped on purpose."""


async def resolve(api: ApiServer, reference: Mapping[str, Any], namespace: str) -> Connection:
    """The connection that a resource of `namespace` may use.

    Raises: ClusterReferenceError, one subclass for each thing a controller treats differently.
    """
    target = reference.get("namespace") or namespace
    secret_name = (reference.get("connectionSecret") or {}).get("name")
    if secret_name:
        return await _from_secret(api, reference, namespace, target, secret_name)
    key = Key("RabbitmqCluster", target, reference["name"])
    resource = await api.get(key)
    if resource is None:
        raise NoSuchClusterError(f"failed to get cluster from reference: {key} does not exist")
    if not _allowed(reference, namespace, resource):
        raise _not_allowed()
    cluster = RabbitmqCluster.from_resource(resource)
    if cluster.replicas == 0:
        raise ScaledToZeroError("RabbitmqCluster is scaled to zero replicas; waiting for it to scale up")
    status = resource.get("status") or {}
    if not (status.get("defaultUser") or {}).get("serviceReference"):
        raise ClusterReferenceError("RabbitmqCluster has no ServiceReference set in status.defaultUser")
    if not (status.get("binding") or {}).get("name"):
        raise ClusterReferenceError("no status.binding set")
    username, password = await _credentials(api, Key("Secret", target, status["binding"]["name"]))
    uri = cluster.annotations.get(URI_ANNOTATION)
    if uri:
        url = _with_scheme(uri)
        return Connection(url=url, username=username, password=password, authorities=await _trusted(api, url))
    service_name = status["defaultUser"]["serviceReference"]["name"]
    url = await _management_url(api, cluster, Key("Service", target, service_name))
    return Connection(
        url=url,
        username=username,
        password=password,
        server_name=f"{service_name}.{target}.svc",
        authorities=await _trusted(api, url),
    )


async def _trusted(api: ApiServer, url: str) -> str | None:
    """The authorities that the operator has in its trust store beside the public ones.

    Upstream reads /etc/ssl/certs of its pod, where its guide has Secrets of its namespace mounted; the stand-in has no pod, and takes each `ca.crt` of
    that namespace as mounted. Without any, a broker with an authority of its own is not believed.
    """
    if not url.startswith("https:"):
        return None
    secrets = await api.list("Secret", OPERATOR_NAMESPACE, labels={})
    found = [decode_data(secret.get("data")).get("ca.crt", "") for secret in secrets]
    return "".join(found) or None


async def _credentials(api: ApiServer, key: Key) -> tuple[str, str]:
    secret = await api.get(key)
    if secret is None:
        raise NoSuchClusterError(f"failed to get default-user secret from reference: {key} does not exist")
    data = decode_data(secret.get("data"))
    return data.get("username", ""), data.get("password", "")


async def _from_secret(
    api: ApiServer, reference: Mapping[str, Any], namespace: str, target: str, name: str
) -> Connection:
    secret = await api.get(Key("Secret", target, name))
    if secret is None:
        raise ClusterReferenceError(f"connection Secret {target}/{name} does not exist")
    if not _allowed(reference, namespace, secret):
        raise _not_allowed()
    data = decode_data(secret.get("data"))
    missing = [key for key in ("uri", "username", "password") if key not in data]
    if missing:
        raise ClusterReferenceError(
            f"failed to retrieve {missing[0]}: key {missing[0]} missing from credentials in Secret {target}/{name}"
        )
    url = _with_scheme(data["uri"])
    authorities = await _trusted(api, url)
    return Connection(url=url, username=data["username"], password=data["password"], authorities=authorities)


def _allowed(reference: Mapping[str, Any], namespace: str, owner: Object) -> bool:
    if reference.get("namespace") in (None, "", namespace):
        return True
    allowed = (owner["metadata"].get("annotations") or {}).get(ALLOWED_NAMESPACES_ANNOTATION)
    return allowed is not None and not {namespace, "*"}.isdisjoint(allowed.split(","))


def _not_allowed() -> NamespaceNotAllowedError:
    return NamespaceNotAllowedError(
        "resource is not allowed to reference defined cluster reference. Check the namespace of the resource is allowed "
        f"as part of the cluster's `{ALLOWED_NAMESPACES_ANNOTATION}` annotation"
    )


def _with_scheme(uri: str) -> str:
    return uri if urlsplit(uri).scheme in ("http", "https") else f"http://{uri}"


async def _management_url(api: ApiServer, cluster: RabbitmqCluster, key: Key) -> str:
    service = await api.get(key)
    if service is None:
        raise NoSuchClusterError(f"failed to get service from reference: {key} does not exist")
    scheme, port_name = ("https", "management-tls") if cluster.tls_secret else ("http", "management")
    ports = {port.get("name"): port["port"] for port in service["spec"].get("ports") or ()}
    if port_name not in ports:
        raise ClusterReferenceError(
            f"failed to get endpoint from specified rabbitmqcluster: failed to find {port_name} from service {key.name}"
        )
    prefix = parse_settings(cluster.additional_config).get("management.path_prefix", "")
    address = service["spec"].get("clusterIP", "")
    host = f"[{address}]" if ":" in address else address
    return f"{scheme}://{host}:{ports[port_name]}{prefix}"
