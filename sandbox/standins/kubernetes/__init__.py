"""A Pulumi provider for Kubernetes, with the behaviour of the real plugin that a program can notice."""
