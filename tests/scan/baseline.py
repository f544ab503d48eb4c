"""Findings that are meant, each with its reason: `baseline.yaml` beside this file.

Invariant: a row that no finding meets is as wrong as a finding that no row explains, so the file never grows stale.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from tests.scan.checkov import Finding

BASELINE = Path(__file__).with_name("baseline.yaml")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One decision."""

    check: str
    resources: tuple[str, ...]
    """Patterns of resource names, as a shell would read them."""
    reason: str
    environments: tuple[str, ...] = ("*",)

    def explains(self, finding: Finding) -> bool:
        """Whether the decision is about this finding."""
        return (
            self.check == finding.check
            and any(fnmatchcase(finding.resource, pattern) for pattern in self.resources)
            and any(fnmatchcase(finding.environment, pattern) for pattern in self.environments)
        )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Findings beside the baseline."""

    unexplained: tuple[Finding, ...]
    stale: tuple[str, ...]
    """`check pattern` of every pattern that no finding meets."""


def load_baseline(path: Path = BASELINE) -> tuple[Row, ...]:
    """The rows of the file."""
    return msgspec.yaml.decode(path.read_bytes(), type=tuple[Row, ...])


def judge(findings: Iterable[Finding], rows: Sequence[Row]) -> Judged:
    """What is unexplained, and what explains nothing."""
    known = tuple(findings)
    single = [msgspec.structs.replace(row, resources=(pattern,)) for row in rows for pattern in row.resources]
    return Judged(
        unexplained=tuple(finding for finding in known if not any(row.explains(finding) for row in rows)),
        stale=tuple(
            f"{row.check} {row.resources[0]}" for row in single if not any(row.explains(item) for item in known)
        ),
    )
