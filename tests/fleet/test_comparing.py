"""What changes from one catalogue to another."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.comparing import Comparison, QueueChange, compare
from fleet.comparison_text import comparison_lines
from fleet.demand import Month
from fleet.environment import default_environment
from fleet.files import read_catalogue
from fleet.loading import Draft, draft_plan
from tests.fleet.strategies import Raw, sample_queue

BASE: Raw = {
    "application": "shop.celery:app",
    "defaults": {"wait": {"promise": "30s"}},
    "queues": {
        "mail": sample_queue(tasks=["shop.mail.*"]),
        "money": sample_queue(tasks=["shop.money.*"], shards=2),
    },
}


def draft(raw: Raw, folder: Path, name: str, environment: str = "prod") -> Draft:
    path = folder / name
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return draft_plan(read_catalogue(path, shown_as=name), default_environment(environment), explain=True)


def compared(folder: Path, changed: Raw) -> Comparison:
    return compare(draft(BASE, folder, "before.yaml"), draft(changed, folder, "after.yaml"))


def changed(queue: str = "mail", **fields: Any) -> Raw:
    raw = copy.deepcopy(BASE)
    raw["queues"][queue] |= fields
    return raw


def one(comparison: Comparison) -> QueueChange:
    (change,) = comparison.queues
    return change


def rolling(comparison: Comparison) -> set[str]:
    every = [*comparison.objects, *(item for queue in comparison.queues for item in queue.objects)]
    return {item.name for item in every if item.pods_roll}


def test_the_same_words_change_nothing(tmp_path: Path) -> None:
    """Nor do other words for the same: 200ms and 0.2s, a default of the file that a queue repeats."""
    raw = changed(runtime={"mean": "0.2s", "p99": "1000ms", "limit": "10s"}, wait={"promise": "30s"})
    comparison = compared(tmp_path, raw)
    assert (comparison.queues, comparison.objects, comparison.reasons) == ((), (), ())
    assert "Nothing changes." in list(comparison_lines(comparison))


def test_a_field_is_shown_as_it_was_written_with_the_numbers_that_follow(tmp_path: Path) -> None:
    """More load: the autoscaler alone changes, and of the pods the web layer's, whose page shows the numbers."""
    comparison = compared(tmp_path, changed(load={"peak": "100/s"}))
    change = one(comparison)
    assert [(field.path, field.before, field.after) for field in change.fields] == [("load.peak", "10/s", "100/s")]
    assert "mail.replicas.max" in {reason.path for reason in change.reasons}
    assert [(item.kind, item.name, item.action) for item in change.objects] == [
        ("ScaledObject", "worker-mail", "updated")
    ]
    assert rolling(comparison) == {"web"}


def test_a_field_that_comes_or_goes_is_not_stated_on_the_other_side(tmp_path: Path) -> None:
    """Its default stands in the reference, not in the comparison."""
    (field,) = one(compared(tmp_path, changed(replicas={"max": 40}))).fields
    assert (field.path, field.before, field.after) == ("replicas.max", None, "40")


def test_a_change_of_the_defaults_is_shown_at_every_queue_it_reaches(tmp_path: Path) -> None:
    """A person sees which queues."""
    raw = copy.deepcopy(BASE)
    raw["defaults"]["wait"]["promise"] = "5s"
    raw["queues"]["money"]["wait"] = {"promise": "30s"}
    assert [
        (change.queue, change.fields[0].before, change.fields[0].after) for change in compared(tmp_path, raw).queues
    ] == [("mail", "30s", "5s")]


def test_what_a_worker_runs_on_rolls_its_pods_alone(tmp_path: Path) -> None:
    """The other queues and the web layer stay."""
    assert rolling(compared(tmp_path, changed(memory="200Mi"))) == {"worker-mail"}


def test_a_new_route_rolls_every_pod(tmp_path: Path) -> None:
    """Each of them publishes, so each holds the routes of all queues."""
    comparison = compared(tmp_path, changed(tasks=["shop.mail.*", "shop.post.*"]))
    assert rolling(comparison) == {"web", "beat", "worker-mail", "worker-money-0", "worker-money-1"}


def figures(month: Month | None) -> tuple[float, float, float] | None:
    return (round(month.idle, 2), round(month.expected, 2), round(month.peak, 2)) if month else None


def test_what_a_month_costs_is_shown_for_the_queue_and_in_all(tmp_path: Path) -> None:
    """Ten times the load of one queue: its part of the nodes before and after, and the whole environment."""
    comparison = compared(tmp_path, changed(load={"peak": "100/s"}))
    cost = one(comparison).cost
    assert (figures(cost.before), figures(cost.after)) == ((7.53, 7.53, 7.53), (30.11, 30.11, 45.16))
    assert figures(comparison.cost.before) == (1413.75, 1413.75, 1413.75)
    assert figures(comparison.cost.after) == (1633.45, 1633.45, 1633.45)
    shown = list(comparison_lines(comparison))
    assert sum("USD a month:" in line and " -> " in line for line in shown) == 2


def test_a_queue_that_comes_cost_nothing_before_and_the_others_stay(tmp_path: Path) -> None:
    """Null for programs, nothing for people."""
    raw = copy.deepcopy(BASE)
    raw["queues"]["post"] = sample_queue(tasks=["shop.post.*"])
    comparison = compared(tmp_path, raw)
    (post,) = [change for change in comparison.queues if change.queue == "post"]
    assert (post.cost.before, figures(post.cost.after)) == (None, (7.53, 7.53, 7.53))
    assert any(line.startswith("  costs, USD a month: nothing -> ") for line in comparison_lines(comparison))


def test_where_nothing_is_paid_no_cost_is_shown(tmp_path: Path) -> None:
    """A cluster of your own: no line, and null for programs."""
    more = draft(changed(load={"peak": "100/s"}), tmp_path, "after.yaml", "local")
    comparison = compare(draft(BASE, tmp_path, "before.yaml", "local"), more)
    for cost in (comparison.cost, one(comparison).cost):
        assert (cost.before, cost.after) == (None, None)
    assert not any("USD" in line for line in comparison_lines(comparison))


def test_a_queue_that_is_removed_is_dangerous(tmp_path: Path) -> None:
    """Its messages stay."""
    raw = copy.deepcopy(BASE)
    del raw["queues"]["mail"]
    comparison = compared(tmp_path, raw)
    gone = next(change for change in comparison.queues if change.queue == "mail")
    assert (gone.change, len(gone.dangers), {item.action for item in gone.objects}) == ("removed", 1, {"deleted"})
    assert any(line.lstrip().startswith("! mail is removed") for line in comparison_lines(comparison))


def test_a_queue_that_is_renamed_is_removed_with_its_messages(tmp_path: Path) -> None:
    """The new name is told."""
    raw = copy.deepcopy(BASE)
    raw["queues"] = {"post": raw["queues"]["mail"], "money": raw["queues"]["money"]}
    comparison = compared(tmp_path, raw)
    by_name = {change.queue: change for change in comparison.queues}
    assert (by_name["mail"].change, by_name["post"].change, by_name["post"].dangers) == ("removed", "added", ())
    assert "renamed to post" in by_name["mail"].dangers[0].problem


@pytest.mark.parametrize(("queue", "shards"), [("mail", 2), ("money", 1), ("money", 3)])
def test_another_number_of_shards_is_dangerous(queue: str, shards: int, tmp_path: Path) -> None:
    """Task ids are spread anew."""
    assert len(one(compared(tmp_path, changed(queue, shards=shards))).dangers) == 1


def test_a_draft_with_findings_is_not_compared(tmp_path: Path) -> None:
    """There is no plan that could be right."""
    wrong = draft(changed(runtime={"mean": "2s", "p99": "1s", "limit": "10s"}), tmp_path, "wrong.yaml")
    with pytest.raises(ValueError, match="findings"):
        compare(draft(BASE, tmp_path, "before.yaml"), wrong)
