"""Pure functions from the Plan to whole Kubernetes manifests: no resource, no clock, no file."""
