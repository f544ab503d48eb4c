"""The Pulumi program: load, check, build, export."""
