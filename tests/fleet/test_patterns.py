"""Whether two patterns meet: those of tasks, and those of routing keys."""

import pytest

from fleet.checks import binding_patterns_overlap, patterns_overlap


@pytest.mark.parametrize(
    ("left", "right", "meet"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.*", "a.b.c", True),
        ("a.*", "b.*", False),
        ("*.mail", "shop.*", True),
        ("a*c", "ab", False),
        ("*", "anything", True),
        ("a.*.z", "a.b*", True),
        ("a*b", "b*a", False),
    ],
)
def test_two_patterns_meet_when_one_name_fits_both(left: str, right: str, meet: bool) -> None:
    """`*` stands for any run of characters, dots included, as in Celery's routes."""
    assert patterns_overlap(left, right) is meet
    assert patterns_overlap(right, left) is meet


@pytest.mark.parametrize(
    ("left", "right", "meet"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.*", "a", False),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("#", "anything.at.all", True),
        ("a.#.z", "*.z", True),
        ("a.#.z", "b.#", False),
        ("*.*", "a.#", True),
        ("*", "a.#.b", False),
        ("#.a", "b.#", True),
        ("a*", "ab", False),
    ],
)
def test_two_binding_patterns_meet_when_one_routing_key_fits_both(left: str, right: str, meet: bool) -> None:
    """`*` is one word and `#` any number of them, as in a topic exchange; within a word nothing is special."""
    assert binding_patterns_overlap(left, right) is meet
    assert binding_patterns_overlap(right, left) is meet
