"""What `pulumi` runs."""

from stacks.build import build

build()
