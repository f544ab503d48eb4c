"""Leases on what may run only once, kept in the results store: who holds one, until when, with which fence, and what came of it.

Invariant: every change is one Lua script on one key, so no two holders are told that they have the same lease at the same time, and what was finished
stays finished. Time is the store's alone. A fence is the store's time in microseconds, or one more than the last fence of the key where that is
higher: it grows with every holder, also when the record of the earlier one has expired or was lost with the store's memory.

Source: Valkey docs, "Scripting with Lua" (a script runs alone; `TIME` may be followed by writes, since scripts are replicated by their effects), and
Martin Kleppmann, "How to do distributed locking" (2016), on fencing tokens.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PRELUDE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function text(number) return string.format('%.0f', number) end
local function hold(lease, keep)
  redis.call('HSET', KEYS[1], 'until', text(now + lease * 1000))
  redis.call('PEXPIRE', KEYS[1], text(lease + keep))
end
"""
"""Durations are milliseconds. The record outlives the lease by the whole time that results are kept: the fence stands in it, and a store that is
full drops first what expires first."""

CLAIM = f"""{_PRELUDE}
local owner, lease, keep, by = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local found = redis.call('HMGET', KEYS[1], 'fence', 'owner', 'until', 'by', 'ended', 'result')
if found[5] then return {{'done', found[1], found[4], found[5], found[6]}} end
if found[2] and tonumber(found[3]) > now then
  return {{'held', found[4], text(math.ceil((tonumber(found[3]) - now) / 1000))}}
end
local fence = text(math.max(now, (tonumber(found[1]) or 0) + 1))
redis.call('HSET', KEYS[1], 'fence', fence, 'owner', owner, 'by', by)
hold(lease, keep)
return {{'claimed', fence}}
"""

RENEW = f"""{_PRELUDE}
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
hold(ARGV[2], ARGV[3])
return 1
"""

FINISH = """
local owner, fence, keep, by, ended, result = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local found = redis.call('HMGET', KEYS[1], 'fence', 'owner', 'by', 'ended', 'result')
if found[4] then return {'done', found[1], found[3], found[4], found[5]} end
if found[1] and found[2] ~= owner then return {'lost'} end
redis.call('HSET', KEYS[1], 'fence', fence, 'by', by, 'ended', ended)
if ended == 'kept' then redis.call('HSET', KEYS[1], 'result', result) end
redis.call('HDEL', KEYS[1], 'owner', 'until')
redis.call('PEXPIRE', KEYS[1], keep)
return {'finished'}
"""

RELEASE = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'owner', 'until')
return 1
"""

KEPT = "kept"
"""How a finished record says that its result is in it; any other word is why it is not."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Ours."""

    key: str
    owner: str
    """A token of this holder alone."""
    by: str
    """Id of the task that holds it."""
    fence: int


@dataclass(frozen=True, kw_only=True)
class Held:
    """Somebody else's."""

    by: str
    seconds: float
    """Until it ends, unless it is renewed."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """There is nothing left to hold: it has run to its end."""

    fence: int
    """Of the lease that it ran under."""
    by: str
    ended: str
    """`KEPT`, or why there is no result."""
    result: str | None


class Leases:
    """Leases of one fleet in the results store; any process and thread may share one object."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        """`connect` makes a client of the store that answers in text, when it is first needed: in a prefork child that is after the fork."""
        self._connect = connect
        self._scripts: dict[str, Any] = {}

    def claim(self, key: str, *, by: str, lease_seconds: float, keep_seconds: float) -> Lease | Held | Done:
        """Take the lease where it is free: never taken, given back, or not renewed in time.

        Raises: StoreError when the store does not answer; the lease may be taken then, and ends by itself.
        """
        owner = uuid.uuid4().hex
        kind, *said = self._call(CLAIM, key, owner, _milliseconds(lease_seconds), _milliseconds(keep_seconds), by)
        if kind == "claimed":
            return Lease(key=key, owner=owner, by=by, fence=int(said[0]))
        if kind == "held":
            return Held(by=said[0], seconds=int(said[1]) / 1000)
        return _done(said)

    def renew(self, lease: Lease, *, lease_seconds: float, keep_seconds: float) -> bool:
        """Hold it for so long from now on; False where it is no longer ours.

        Raises: StoreError.
        """
        return bool(
            self._call(RENEW, lease.key, lease.owner, _milliseconds(lease_seconds), _milliseconds(keep_seconds))
        )

    def finish(self, lease: Lease, *, ended: str, result: str | None, keep_seconds: float) -> Done | None:
        """Write down what came of it, also where the lease has run out, as long as nobody has taken it since; what is written stays.

        Returns: what is done, ours or what a later holder has finished; None where a later holder has it, or has given it back.
        Raises: StoreError; it may be written then.
        """
        kind, *said = self._call(
            FINISH, lease.key, lease.owner, lease.fence, _milliseconds(keep_seconds), lease.by, ended, result or ""
        )
        if kind == "lost":
            return None
        if kind == "done":
            return _done(said)
        return Done(fence=lease.fence, by=lease.by, ended=ended, result=result)

    def release(self, lease: Lease) -> None:
        """Give it back without a result; nothing where it is no longer ours.

        Raises: StoreError.
        """
        self._call(RELEASE, lease.key, lease.owner)

    def _call(self, script: str, key: str, *arguments: Any) -> Any:
        if not self._scripts:
            store = self._connect()
            self._scripts = {text: store.register_script(text) for text in (CLAIM, RENEW, FINISH, RELEASE)}
        return self._scripts[script](keys=[key], args=arguments)


def _done(said: list[Any]) -> Done:
    fence, by, ended, result = said
    return Done(fence=int(fence), by=by, ended=ended, result=result)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
