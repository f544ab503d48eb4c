"""Leases in the results store: who may run, whatever happens between two of its commands."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from app.once.leases import KEPT, Done, Held, Lease, Leases
from app.store import StoreError
from tests.app.lease_store import BEGIN_SECONDS, LeaseStore, Trouble, lease_store

LEASE_SECONDS, KEEP_SECONDS = 30.0, 1000.0
SLACK_SECONDS = 0.5
"""What the commands themselves take, by the store's clock."""


@pytest.fixture
def store() -> Any:
    with lease_store() as made:
        yield made


@pytest.fixture
def leases(store: LeaseStore) -> Leases:
    return Leases(lambda: store)


def claim(leases: Leases, by: str = "1", key: str = "key") -> Lease | Held | Done:
    return leases.claim(key, by=by, lease_seconds=LEASE_SECONDS, keep_seconds=KEEP_SECONDS)


def taken(leases: Leases, by: str = "1", key: str = "key") -> Lease:
    found = claim(leases, by, key)
    assert isinstance(found, Lease)
    return found


def finish(leases: Leases, lease: Lease, result: str = '"paid"') -> Done | None:
    return leases.finish(lease, ended=KEPT, result=result, keep_seconds=KEEP_SECONDS)


def ended(found: Any) -> tuple[str, str, str | None]:
    assert isinstance(found, Done)
    return found.by, found.ended, found.result


def test_one_holds_a_lease_and_the_others_are_told_who_and_for_how_long(store: LeaseStore, leases: Leases) -> None:
    first = taken(leases, "first")
    store.now += 9
    found = claim(leases, "second")
    assert isinstance(found, Held)
    assert (found.by, round(found.seconds)) == ("first", 21)
    assert taken(leases, "second", "another key").fence > first.fence


def test_a_lease_that_nobody_renews_runs_out(store: LeaseStore, leases: Leases) -> None:
    """A crash gives nothing back."""
    first = taken(leases)
    store.now += LEASE_SECONDS
    second = taken(leases, "2")
    assert second.fence > first.fence
    assert not leases.renew(first, lease_seconds=LEASE_SECONDS, keep_seconds=KEEP_SECONDS)


def test_a_renewed_lease_holds(store: LeaseStore, leases: Leases) -> None:
    first = taken(leases)
    store.now += 20
    assert leases.renew(first, lease_seconds=LEASE_SECONDS, keep_seconds=KEEP_SECONDS)
    store.now += 20
    assert isinstance(claim(leases, "2"), Held)


def test_what_is_given_back_is_free_and_its_fence_is_passed(store: LeaseStore, leases: Leases) -> None:
    first = taken(leases)
    leases.release(first)
    assert taken(leases, "2").fence > first.fence


def test_what_has_ended_is_told_with_its_result_for_as_long_as_it_is_kept(store: LeaseStore, leases: Leases) -> None:
    finish(leases, taken(leases, "first"))
    store.now += KEEP_SECONDS - 1
    assert ended(claim(leases, "second")) == ("first", KEPT, '"paid"')
    store.now += 2
    assert isinstance(claim(leases, "second"), Lease)


def test_why_there_is_no_result_is_told_too(store: LeaseStore, leases: Leases) -> None:
    leases.finish(taken(leases), ended="too large", result=None, keep_seconds=KEEP_SECONDS)
    assert ended(claim(leases, "2")) == ("1", "too large", None)


def test_a_holder_that_was_given_up_for_lost_changes_nothing(store: LeaseStore, leases: Leases) -> None:
    """It neither gives back nor finishes what is another's by now, and is told what that one made of it."""
    stale = taken(leases, "stale")
    store.now += LEASE_SECONDS
    second = taken(leases, "second")
    leases.release(stale)
    assert finish(leases, stale, '"stale"') is None
    assert isinstance(claim(leases, "third"), Held)
    finish(leases, second, '"second"')
    for found in (finish(leases, stale, '"stale"'), claim(leases, "third")):
        assert found == Done(fence=second.fence, by="second", ended=KEPT, result='"second"')


def test_a_lease_that_ran_out_while_nobody_wanted_it_may_still_finish(store: LeaseStore, leases: Leases) -> None:
    """Nothing else ran; also where the store has lost its memory since."""
    for key, loss in (("kept", False), ("lost", True)):
        lease = taken(leases, "1", key)
        store.now += 5 * LEASE_SECONDS
        if loss:
            store.lose_memory()
        assert ended(finish(leases, lease)) == ("1", KEPT, '"paid"')
        assert isinstance(claim(leases, "2", key), Done)


@pytest.mark.parametrize("step", [-3600.0, -0.001, 0.0])
def test_fences_grow_although_the_stores_clock_goes_back(store: LeaseStore, leases: Leases, step: float) -> None:
    """An hour, as when a wrong clock is put right."""
    fences = []
    for number in range(3):
        lease = taken(leases, str(number))
        fences.append(lease.fence)
        leases.release(lease)
        store.now += step
    assert fences == sorted(set(fences))
    assert fences[0] >= BEGIN_SECONDS * 1_000_000


def test_a_fence_is_whole(store: LeaseStore, leases: Leases) -> None:
    """Microseconds of the epoch have sixteen digits, and Lua's numbers are floating."""
    store.now = 1_812_345_678.123456 - 0.001
    assert abs(taken(leases).fence - 1_812_345_678_123_456) <= 1


def test_a_store_that_has_forgotten_its_scripts_is_taught_them_again(store: LeaseStore, leases: Leases) -> None:
    """As after a restart of its own."""
    leases.release(taken(leases))
    store.redis.script_flush()
    assert isinstance(claim(leases), Lease)


@dataclass
class Seen:
    """What is known outside of the store of one key."""

    live: dict[str, float] = field(default_factory=dict)
    """Owner -> when its lease ends, by what the owner was told last."""
    last_fence: int = 0
    newest: str = ""
    """Owner of the last lease."""
    result: tuple[str, float] | None = None
    """What finished, and until when it is kept."""
    gone_at: float = 0.0
    """When the store forgets the key."""

    def kept(self, at: float) -> str | None:
        """The result that everybody has to be told."""
        return self.result[0] if self.result is not None and self.result[1] > at + SLACK_SECONDS else None

    def take(self, owner: str, fence: int, at: float, seconds: float) -> None:
        """A lease was granted."""
        self.live, self.newest, self.last_fence, self.result = {owner: at + seconds}, owner, fence, None
        self.gone_at = at + seconds + 100


class Holders(RuleBasedStateMachine):
    """Any number of deliveries, in any order, with a store that is away, answers into the void, or loses its memory."""

    held = Bundle("held")

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.store = self.stack.enter_context(lease_store())
        self.leases = Leases(lambda: self.store)
        self.seen = {"a": Seen(), "b": Seen()}
        self.count = 0

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    @rule(target=held, key=st.sampled_from(["a", "b"]), seconds=st.sampled_from([1.0, 5.0, 40.0]))
    def claim(self, key: str, seconds: float) -> Any:
        seen, self.count = self.seen[key], self.count + 1
        at = self.store.now
        found = self.leases.claim(key, by=str(self.count), lease_seconds=seconds, keep_seconds=100)
        if (kept := seen.kept(at)) is not None:
            assert isinstance(found, Done), "what has ended ran again"
            assert found.result == kept
        if isinstance(found, Lease):
            assert not [end for end in seen.live.values() if end > at + SLACK_SECONDS], "two hold the lease"
            assert found.fence > seen.last_fence, "a fence came back"
            seen.take(found.owner, found.fence, at, seconds)
            return found
        if isinstance(found, Held):
            assert [end for end in seen.live.values() if end > at - SLACK_SECONDS], "held by nobody"
        if isinstance(found, Done):
            assert seen.result is not None, "ended by nobody"
            assert seen.result[1] > at - SLACK_SECONDS, "kept for too long"
        return multiple()

    @rule(key=st.sampled_from(["a", "b"]), seconds=st.sampled_from([1.0, 40.0]))
    def claim_without_an_answer(self, key: str, seconds: float) -> None:
        """Nobody will ever give it back."""
        seen = self.seen[key]
        self.store.trouble = Trouble.ANSWER_LOST
        with pytest.raises(StoreError):
            self.leases.claim(key, by="nobody", lease_seconds=seconds, keep_seconds=100)
        self.store.trouble = Trouble.NONE
        owner = self.store.redis.hget(key, "owner")
        if owner is not None and owner not in seen.live:
            seen.take(str(owner), int(str(self.store.redis.hget(key, "fence"))), self.store.now, seconds)

    @rule(lease=held, seconds=st.sampled_from([1.0, 40.0]))
    def renew(self, lease: Lease, seconds: float) -> None:
        seen = self.seen[lease.key]
        if self.leases.renew(lease, lease_seconds=seconds, keep_seconds=100):
            assert seen.newest == lease.owner, "an old holder holds again"
            seen.live[lease.owner] = self.store.now + seconds
            seen.gone_at = self.store.now + seconds + 100

    @rule(lease=consumes(held))
    def release(self, lease: Lease) -> None:
        self.leases.release(lease)
        self.seen[lease.key].live.pop(lease.owner, None)

    @rule(lease=held, lost=st.booleans(), word=st.text(max_size=3))
    def finish(self, lease: Lease, lost: bool, word: str) -> None:
        seen, kept = self.seen[lease.key], self.seen[lease.key].kept(self.store.now)
        if lost:
            # It is tried again, as after any failure.
            self.store.trouble = Trouble.ANSWER_LOST
            with pytest.raises(StoreError):
                self.leases.finish(lease, ended=KEPT, result=f"{lease.by} {word}", keep_seconds=100)
            self.store.trouble = Trouble.NONE
        done = self.leases.finish(lease, ended=KEPT, result=f"{lease.by} {word}", keep_seconds=100)
        if kept is not None:
            assert done is not None
            assert done.result == kept, "a result was exchanged"
        elif done is not None and done.fence == lease.fence and self.store.now < seen.gone_at - SLACK_SECONDS:
            assert seen.newest == lease.owner, "an old holder finished"
        if done is not None and kept is None:
            seen.result, seen.live = (str(done.result), self.store.now + 100), {}
            seen.gone_at = self.store.now + 100

    @rule(seconds=st.floats(0.1, 60))
    def wait(self, seconds: float) -> None:
        self.store.now += seconds

    @rule()
    def lose_memory(self) -> None:
        """Fences grow all the same; what was held or has ended is not known any more."""
        self.store.lose_memory()
        for seen in self.seen.values():
            seen.live, seen.result, seen.gone_at = {}, None, 0.0

    @rule(lease=held)
    def be_away(self, lease: Lease) -> None:
        """Nothing happens."""
        self.store.trouble = Trouble.AWAY
        with pytest.raises(StoreError):
            self.leases.release(lease)
        self.store.trouble = Trouble.NONE


TestHolders = Holders.TestCase
TestHolders.settings = settings(stateful_step_count=25)
