"""A results store for leases in a test: fakeredis runs their Lua scripts in a real Lua, by a clock that the test turns."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any

import fakeredis
import pytest
from redis import ConnectionError as StoreAwayError

BEGIN_SECONDS = 1_800_000_000.0


class Trouble(Enum):
    """What the store does with a call."""

    NONE = auto()
    AWAY = auto()
    """Nothing happens."""
    ANSWER_LOST = auto()
    """It happens, and nobody is told."""


class LeaseStore:
    """One store, and how it answers."""

    def __init__(self) -> None:
        self.now = BEGIN_SECONDS
        self.trouble = Trouble.NONE
        self.redis = fakeredis.FakeRedis(decode_responses=True)

    def register_script(self, text: str) -> Callable[..., Any]:
        """As redis-py's."""
        script = self.redis.register_script(text)

        def call(keys: list[str], args: tuple[Any, ...]) -> Any:
            if self.trouble is Trouble.AWAY:
                raise StoreAwayError("away")
            # A command takes time; two never see the same microsecond.
            self.now += 0.001
            answer = script(keys=keys, args=args)
            if self.trouble is Trouble.ANSWER_LOST:
                raise StoreAwayError("the answer is lost")
            return answer

        return call

    def lose_memory(self) -> None:
        """It starts anew, with nothing."""
        self.redis.flushall()


@contextmanager
def lease_store() -> Iterator[LeaseStore]:
    """The store, by its own clock while the block runs."""
    store = LeaseStore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: store.now)
        yield store
    store.redis.close()
