"""The floor that a preview is compared with: the component tree of another program, with a ConfigMap for each of its resources.

It reads `tree.json` in the project's folder: one `{urn, parent, type, custom}` a resource, parents first.
"""

import json
import os
from pathlib import Path

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import ConfigMap

root = Path(pulumi.runtime.get_root_directory())
provider = Provider("cluster", kubeconfig=os.environ["KUBECONFIG"])
parents: dict[str, pulumi.Resource] = {}
for node in json.loads((root / "tree.json").read_text()):
    name = node["urn"].rsplit("::", 1)[-1]
    options = pulumi.ResourceOptions(parent=parents.get(node["parent"]), provider=provider if node["custom"] else None)
    if node["custom"]:
        # Two resources of different types may share a name; two ConfigMaps may not.
        name = f"{name}-{len(parents)}"
        parents[node["urn"]] = ConfigMap(name, metadata={"namespace": "default"}, data={"name": name}, opts=options)
    else:
        component = pulumi.ComponentResource(node["type"], name, None, options)
        component.register_outputs({})
        parents[node["urn"]] = component
