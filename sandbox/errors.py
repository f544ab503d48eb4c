"""The refusals of the sandbox, one form for all: what is wrong, where, and what would be right.

    SandboxError          something a person has to put right; printed without a traceback
    ├── RefusalError           this machine cannot hold the sandbox; another cluster can
    └── BuildError        a program or an image could not be made; the log says why

No message holds a secret.
"""

from pathlib import Path

ALTERNATIVE = "Use a cluster of your own instead: make up CONTEXT=<kubeconfig context>"


class SandboxError(Exception):
    """Something a person has to put right."""

    def __init__(self, where: str, problem: str, fix: str) -> None:
        super().__init__(f"{where}: {problem}\n  {fix}")
        self.where = where
        self.problem = problem
        self.fix = fix


class RefusalError(SandboxError):
    """This machine cannot hold the sandbox as it stands; every refusal names the way round."""

    def __init__(self, where: str, problem: str, fix: str) -> None:
        super().__init__(where, problem, f"{fix}\n  {ALTERNATIVE}")


class BuildError(SandboxError):
    """A program or an image could not be made."""

    def __init__(self, what: str, problem: str, log: Path) -> None:
        super().__init__(what, problem, f"The whole log is {log}; run the same command again to continue.")
        self.log = log
