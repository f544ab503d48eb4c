"""Which cluster to talk to and as whom, from a kubeconfig given as a path, as text, or by the environment.

The invariant: the provider uses the context it was told to use, or none; it never falls back to another cluster.

Source: pulumi-kubernetes v4.32 `provider/pkg/provider/util.go` (parseKubeconfigString, getActiveClusterFromConfig);
Kubernetes docs, "Organizing Cluster Access Using kubeconfig Files".
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from sandbox.standins.kubernetes.exec_credentials import helper_credentials
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import Value


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """One cluster's address and the credentials for it."""

    server: str
    ssl_context: ssl.SSLContext | bool
    headers: dict[str, str]
    namespace: str
    """The context's default namespace; empty when it names none."""


def parse_kubeconfig(text_or_path: str) -> Manifest:
    """A kubeconfig from its text or from the file it names; an empty string is an empty kubeconfig.

    Raises: PluginError when it is neither a file nor a kubeconfig.
    """
    if not text_or_path:
        return {}
    text = text_or_path
    if "\n" not in text_or_path and not text_or_path.lstrip().startswith("{"):
        path = Path(text_or_path).expanduser()
        if not path.is_file():
            raise PluginError(f"kubeconfig {text_or_path!r} is neither an existing file nor the text of a kubeconfig")
        text = path.read_text()
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PluginError(f"failed to parse kubeconfig: {error}") from error
    if not isinstance(parsed, dict):
        raise PluginError("failed to parse kubeconfig: it is not a mapping")
    return parsed


def ambient_kubeconfig() -> str:
    """The path a program gets when it names none: the first of `$KUBECONFIG`, else `~/.kube/config` if it exists."""
    for candidate in os.environ.get("KUBECONFIG", "").split(os.pathsep):
        if candidate:
            return candidate
    home = Path("~/.kube/config").expanduser()
    return str(home) if home.is_file() else ""


def active_cluster(config: Manifest, *, context: str = "", cluster: str = "") -> Manifest | None:
    """The entry of the cluster that would be used, without its credentials; nothing when there is none."""
    chosen = _named(config, "contexts", context or config.get("current-context"))
    if chosen is None:
        return None
    return _named(config, "clusters", cluster or chosen.get("context", {}).get("cluster"), "cluster")


def _named(config: Manifest, section: str, name: Value, inner: str = "") -> Manifest | None:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            found = entry.get(inner) if inner else entry
            return found if isinstance(found, dict) else {}
    return None


def cluster_access(config: Manifest, *, context: str = "", cluster: str = "") -> ClusterAccess:
    """How to reach and address the chosen cluster.

    Raises: PluginError when the context or its cluster is missing, or when the user's helper program gives no credential.
    """
    name = context or config.get("current-context") or ""
    chosen = _named(config, "contexts", name)
    if chosen is None:
        known = ", ".join(sorted(str(entry.get("name")) for entry in config.get("contexts") or [])) or "none"
        raise PluginError(f"kubeconfig has no context {name!r}; it has: {known}")
    settings = chosen.get("context") or {}
    target = active_cluster(config, context=name, cluster=cluster)
    if target is None or not target.get("server"):
        raise PluginError(f"kubeconfig context {name!r} names cluster {settings.get('cluster')!r}, which has no server")
    user = _named(config, "users", settings.get("user"), "user") or {}
    if "auth-provider" in user:
        raise PluginError(
            f"kubeconfig context {name!r} gets its credentials from an `auth-provider`, which Kubernetes 1.26 removed; "
            "use `exec`"
        )
    if "exec" in user:
        user = {**user, **helper_credentials(user["exec"])}
    headers = {}
    token = user.get("token") or (Path(user["tokenFile"]).read_text().strip() if user.get("tokenFile") else "")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    server = str(target["server"]).rstrip("/")
    return ClusterAccess(server, _ssl_context(target, user), headers, settings.get("namespace") or "")


def _ssl_context(cluster: Manifest, user: Manifest) -> ssl.SSLContext | bool:
    if not str(cluster["server"]).startswith("https:"):
        return False
    authority = _inline(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _inline(user, "client-certificate"), _inline(user, "client-key")
    if certificate and key:
        # The standard library only loads a key pair from a file; this one is readable by us alone and gone at once.
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(certificate + b"\n" + key)
            pair.flush()
            context.load_cert_chain(pair.name)
    return context


def _inline(section: Manifest, key: str) -> bytes:
    if section.get(f"{key}-data"):
        return base64.b64decode(section[f"{key}-data"])
    return Path(section[key]).expanduser().read_bytes() if section.get(key) else b""
