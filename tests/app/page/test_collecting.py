"""What is gathered for the page, and how little of it is asked."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import cast

import fakeredis
import pytest
from redis import ConnectionError as StoreAwayError

from app.minutes import minute_key
from app.web.page.collecting import Collector
from app.web.page.depths import BrokerAwayError, Depth
from tests.app.documents import WEB

BEGIN = 1_800_000_000.0
QUEUES = {"high", "default-0", "default-1", "reports"}
FOR_PEOPLE = {"high-dead", "default-dead", "reports-dead", "unrouted"}


class World:
    """A clock that the test turns, a store and a broker that may be away, and what they were asked."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.redis = fakeredis.FakeRedis(decode_responses=True)
        self.store_away = False
        self.broker_away = False
        self.asked: list[tuple[float, str]] = []
        self.depths = dict.fromkeys(QUEUES | FOR_PEOPLE, 3)

    def pod(self, name: str) -> Collector:
        """The collector of one pod of the web layer."""
        return Collector(WEB, _Store(self), _Broker(self), pod=name, clock=lambda: self.now)

    def pass_seconds(self, seconds: float, *pods: Collector) -> None:
        """Half a second at a time, every pod takes its turn."""
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            for pod in pods:
                pod.turn()

    def most_in_a_second(self) -> int:
        """Questions to the broker in any one second."""
        times = [at for at, _ in self.asked]
        return max(sum(begin <= at < begin + 1 for at in times) for begin in times)


class _Store:
    """Redis, by the world's clock: the turn is the one key that expires while a test looks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._turn_until = 0.0

    def _answer(self) -> fakeredis.FakeRedis:
        if self._world.store_away:
            raise StoreAwayError("away")
        return self._world.redis

    def set(self, key: str, value: str, *, nx: bool, px: int) -> bool | None:
        redis = self._answer()
        if (until := redis.get(f"{key}:until")) is not None and float(until) <= self._world.now:
            redis.delete(key)
        taken = redis.set(key, value, nx=nx)
        if taken:
            redis.set(f"{key}:until", self._world.now + px / 1000)
        return bool(taken)

    def hgetall(self, key: str) -> dict[str, str]:
        return cast(dict[str, str], self._answer().hgetall(key))

    def pipeline(self, *, transaction: bool) -> object:
        return self._answer().pipeline(transaction=transaction)


class _Broker:
    def __init__(self, world: World) -> None:
        self._world = world
        self.closed = 0

    def ask(self, queue: str) -> Depth:
        self._world.asked.append((self._world.now, queue))
        if self._world.broker_away:
            raise BrokerAwayError("ConnectionRefusedError, Connection refused")
        return Depth(ready=self._world.depths[queue], consumers=2, asked_at=self._world.now)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.redis.close()


def test_the_broker_is_asked_once_a_second_by_all_pods_together(world: World) -> None:
    """Five pods of the web layer ask no more than one would."""
    pods = [world.pod(f"web-{number}") for number in range(5)]
    world.pass_seconds(60, *pods)
    assert world.most_in_a_second() == 1
    assert 55 <= len(world.asked) <= 61


def test_each_pod_knows_what_any_of_them_was_told(world: World) -> None:
    pods = [world.pod("web-1"), world.pod("web-2")]
    world.pass_seconds(20, *pods)
    assert {len(pod.snapshot.depths) for pod in pods} == {8}


def test_the_queue_that_was_asked_about_longest_ago_is_next_and_dead_letters_seldom(world: World) -> None:
    world.pass_seconds(120, world.pod("web-1"))
    asked = Counter(queue for _, queue in world.asked)
    assert asked.keys() == QUEUES | FOR_PEOPLE
    assert min(asked[queue] for queue in QUEUES) >= 24
    assert max(asked[queue] for queue in FOR_PEOPLE) <= 6


def test_without_the_results_store_each_pod_takes_its_share_of_the_seconds(world: World) -> None:
    """Five pods at most: each asks once in five seconds, and remembers what it was told."""
    world.store_away = True
    pod = world.pod("web-1")
    world.pass_seconds(60, pod)
    assert 11 <= len(world.asked) <= 13
    assert pod.snapshot.depths.keys() == QUEUES | FOR_PEOPLE
    assert pod.snapshot.store.failing_since == BEGIN + 0.5
    assert pod.snapshot.store.problem == "ConnectionError"


def test_a_broker_that_is_away_is_told_with_since_when_and_why(world: World) -> None:
    """What it said before stays, with its age; it is asked again every few seconds."""
    pod = world.pod("web-1")
    world.pass_seconds(20, pod)
    world.broker_away, asked = True, len(world.asked)
    world.pass_seconds(30, pod)
    assert len(world.asked) - asked <= 7
    assert pod.snapshot.broker.failing_since == BEGIN + 20.5
    assert pod.snapshot.broker.problem == "ConnectionRefusedError, Connection refused"
    assert pod.snapshot.depths["high"].ready == 3
    world.broker_away = False
    world.pass_seconds(6, pod)
    assert pod.snapshot.broker.failing_since is None


def test_the_last_hour_is_read_from_the_store(world: World) -> None:
    """What a worker adds to the running minute is seen within seconds; a minute that is over is read once."""
    minute = int(BEGIN // 60)
    world.redis.hset(minute_key("shop", "high", minute - 10), mapping={"started": 4, "wait:0.5": 4})
    world.redis.hset(minute_key("shop", "high", minute - 60), mapping={"started": 9})
    pod = world.pod("web-1")
    pod.turn()
    world.redis.hset(minute_key("shop", "high", minute), mapping={"started": 2})
    world.redis.hset(minute_key("shop", "high", minute - 10), mapping={"started": 5})
    world.pass_seconds(6, pod)
    high = pod.snapshot.minutes["high"]
    assert [len(minutes) for minutes in pod.snapshot.minutes.values()] == [60, 60, 60]
    assert {at.number - minute: at.started for at in high if at.started} == {-10: 4, 0: 2}
    assert high[-11].waits == {0.5: 4}


def test_what_waited_stays_in_the_minute_for_everybody(world: World) -> None:
    """A pod that starts later shows the hour before it."""
    world.pass_seconds(20, world.pod("web-1"))
    later = world.pod("web-2")
    later.turn()
    (latest,) = later.snapshot.minutes["default"][-1:]
    assert latest.ready == {"default-0": 3, "default-1": 3}
    assert latest.pods == {"default-0": 2, "default-1": 2}


def test_what_nobody_foresaw_ends_no_thread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page grows old and says so; the next turn may do better."""
    pod, twice = world.pod("web-1"), threading.Event()
    turns: list[int] = []

    def fail() -> None:
        turns.append(1)
        if len(turns) == 2:
            twice.set()
        raise ZeroDivisionError

    monkeypatch.setattr(pod, "turn", fail)
    pod.start()
    assert twice.wait(10)
    pod.stop()
