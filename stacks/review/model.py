"""A preview as it is kept in `preview.json`: all that the comment and the gates read, and nothing that is secret.

Invariant: whoever has the files can judge them, without the engine, the catalogue or the repository: a workflow comments in another job than the one
that ran the change's code.
"""

from enum import StrEnum
from pathlib import Path

import msgspec

from fleet.comparing import Comparison, CostChange
from fleet.errors import UsageError
from fleet.records import Record

FORMAT = 1
"""Of the file; another one is refused."""


class Operation(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class PropertyChange(Record, frozen=True, kw_only=True):
    """One property of a resource."""

    path: str
    before: str | None
    """As it is shown: shortened, and masked where it is a secret; None where there was none."""
    after: str | None
    replaces: bool = False
    """Whether this is why the resource is replaced."""


class Step(Record, frozen=True, kw_only=True):
    """What the engine plans for one resource."""

    urn: str
    type: str
    name: str
    operation: Operation
    protected: bool = False
    """Whether the engine refuses to delete it."""
    kept: bool = False
    """Whether it stays where it is when the stack lets go of it (`retainOnDelete`)."""
    changes: tuple[PropertyChange, ...] = ()
    """Of an update or a replacement."""

    @property
    def kind(self) -> str:
        """The last word of the type."""
        return self.type.rsplit(":", 1)[-1]


class PolicyFinding(Record, frozen=True, kw_only=True):
    """What the policy pack said of a resource."""

    rule: str
    mandatory: bool
    resource: str
    """Name of the resource; empty for the stack as a whole."""
    message: str


class Outcome(Record, frozen=True, kw_only=True):
    """How one queue did on its worst simulated load."""

    kept: bool
    """On every load that counts."""
    worst_trace: str
    within_percent: float
    """Tasks that started within the promised wait, on that load."""


class PromiseChange(Record, frozen=True, kw_only=True):
    """The promise of one queue, simulated on both sides."""

    queue: str
    promise: str
    """In words: `95 % within 30s`."""
    before: Outcome | None
    """None where there is no base, or no such queue in it."""
    after: Outcome


class Preview(Record, frozen=True, kw_only=True):
    """What would happen to one stack."""

    format: int
    stack: str
    imagined: bool
    """Whether the engine compared with resources that were brought up for it and exist nowhere, not with what is deployed."""
    base: str | None
    """What it compared with, in words; None where everything is new."""
    stood_in: tuple[str, ...]
    """One line for each thing that was not the real one."""
    errors: tuple[str, ...]
    """Why the preview is not whole; it cannot be judged then."""
    unchanged: int
    steps: tuple[Step, ...]
    policies_ran: bool
    policies: tuple[PolicyFinding, ...]
    graph: tuple[str, ...]
    """How the tree of resources differs, as lines of a unified diff."""
    versions: dict[str, str]
    """Part -> its version in this stack."""
    comparison: Comparison | None
    """The catalogue's side of it; None without a base."""
    cost: CostChange
    promises: tuple[PromiseChange, ...]
    """Of the queues whose plan changes; of all queues without a base."""

    def count(self, operation: Operation) -> int:
        """Resources that this happens to."""
        return sum(step.operation is operation for step in self.steps)


def absent_preview(stack: str) -> Preview:
    """What is known of a stack whose preview left nothing."""
    return Preview(
        format=FORMAT, stack=stack, imagined=False, base=None, stood_in=(),
        errors=("its preview left nothing to judge; the log of the job that made it says why",),
        unchanged=0, steps=(), policies_ran=False, policies=(), graph=(), versions={}, comparison=None,
        cost=CostChange(before=None, after=None), promises=(),
    )  # fmt: skip


def write_preview(preview: Preview, path: Path) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(preview), indent=1))
    temporary.replace(path)


def read_preview(path: Path) -> Preview:
    """One file.

    Raises: UsageError when it is missing, or no preview of this format.
    """
    fix = "Make it anew: make preview"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Preview)
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}", fix) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(str(path), f"is no preview: {error}", fix) from None
    if found.format != FORMAT:
        raise UsageError(str(path), f"has format {found.format}, and {FORMAT} is read here", fix)
    return found
