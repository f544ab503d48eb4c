"""A Pulumi provider for container images, built by buildah and put straight into the sandbox's container runtime."""
