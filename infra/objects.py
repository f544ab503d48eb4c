"""A Kubernetes object as a Pulumi resource, made from its whole manifest.

Invariant: what the pure builders return is what is registered, unchanged. The typed classes of `pulumi_kubernetes` register the same type
tokens, but importing the ones used here takes a second of every `pulumi` command, and each translates the names of every nested field, of
which there is nothing to translate in a manifest. Source: pulumi-kubernetes 4.34, `sdk/python/pulumi_kubernetes/apps/v1/Deployment.py`
(type token `kubernetes:<group>/<version>:<Kind>`, `core` for the group without a name).
"""

from typing import Any

import pulumi

from infra.manifests.metadata import Manifest

SECRET_PROPERTIES = {"Secret": ["data", "stringData"]}
"""Kind -> properties that stay secret in Pulumi's state, whatever the program says."""


def type_token(manifest: Manifest) -> str:
    """The Pulumi type of a manifest's kind: `kubernetes:apps/v1:Deployment`, `kubernetes:core/v1:Secret`."""
    version: str = manifest["apiVersion"]
    group = version if "/" in version else f"core/{version}"
    return f"kubernetes:{group}:{manifest['kind']}"


class KubernetesObject(pulumi.CustomResource):
    """One object of a cluster."""

    def __init__(self, name: str, manifest: Manifest, *, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = SECRET_PROPERTIES.get(manifest["kind"], [])
        if secret:
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=secret))
        super().__init__(type_token(manifest), name, dict(manifest), opts)

    @property
    @pulumi.getter
    def metadata(self) -> pulumi.Output[dict[str, Any]]:
        """The object's metadata, as the API server returned it."""
        found: pulumi.Output[dict[str, Any]] = pulumi.get(self, "metadata")
        return found

    @property
    def object_name(self) -> pulumi.Output[str]:
        """The object's name in the cluster, also where Pulumi chose it."""
        # `pulumi up --target` registers what it leaves out without creating it: such an object has no name yet.
        return self.metadata.apply(lambda metadata: str(metadata.get("name", "")))
