"""The `fleet` command: one module a command, and what they share in `options`, `loading` and `answers`.

Exit codes: 0 fine, 1 findings, 2 wrong usage. Nothing here derives anything; a command loads, asks and prints. Command modules import what they
need when they run: a command pays for nothing that only another one uses.
"""

from fleet.cli.entry import app, main

__all__ = ["app", "main"]
