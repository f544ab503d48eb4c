"""A results store for counts in a test: it adds, it may be away, and the test writes when it wants to."""

from types import SimpleNamespace
from typing import Any

from app.counting import StoredCounts


class CountStore:
    """What of Valkey the counts use."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, int]] = {}
        self.expiries: dict[str, int] = {}
        self.away = False

    def pipeline(self, transaction: bool = True) -> Any:
        commands: list[tuple[str, str, int]] = []
        expiries: dict[str, int] = {}

        def execute() -> None:
            if self.away:
                raise ConnectionError("away")
            for key, name, count in commands:
                fields = self.hashes.setdefault(key, {})
                fields[name] = fields.get(name, 0) + count
            self.expiries |= expiries

        return SimpleNamespace(
            hincrby=lambda *command: commands.append(command),
            expire=lambda key, seconds: expiries.update({key: seconds}),
            execute=execute,
        )


def without_writer(store: CountStore) -> StoredCounts:
    """Counts that only `flush` writes; the thread is tested by itself."""
    counts = StoredCounts(lambda: store)
    counts._writer = object()  # type: ignore[assignment]
    return counts
