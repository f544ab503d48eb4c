"""What a pull request's description says about gates: `gate-override: <gate> <reason>`, a line for each.

Invariant: a line without a reason overrides nothing, and neither does one that a template left in a comment; all of them are shown to the reviewer.
"""

import re
from dataclasses import dataclass

LINE = re.compile(
    r"^[ \t>*-]*gate-override:[ \t]*(?P<gate>[a-z-]*)[ \t]*(?P<reason>.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE
)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
SHORTEST_REASON = 10
"""Characters with a letter among them: `ok` explains nothing to whoever reads it in a year."""


@dataclass(frozen=True, kw_only=True)
class Override:
    """One line."""

    gate: str
    reason: str

    @property
    def counts(self) -> bool:
        """Whether it says why."""
        return len(self.reason) >= SHORTEST_REASON and any(letter.isalpha() for letter in self.reason)


def read_overrides(description: str) -> tuple[Override, ...]:
    """Every line of the description that means to override a gate, in its order."""
    text = COMMENT.sub("", description.replace("\r\n", "\n"))
    return tuple(Override(gate=found["gate"].lower(), reason=found["reason"]) for found in LINE.finditer(text))
