"""Pulumi components, one file for each thing deployed; none knows which program composes it."""
