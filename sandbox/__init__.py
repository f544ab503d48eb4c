"""A one-node Kubernetes for machines that have no cluster, and the Pulumi CLI beside it.

Everything is made from package registries: Go modules, Debian packages, PyPI. What no registry serves is stood in for
by the small programs under `standins/`, each announced when it is used. Nothing of the product imports this room, and
this room imports nothing of the product.
"""
