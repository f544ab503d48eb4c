"""The reference of the rules is the one that the rules write, and they say what a person needs."""

import pytest

from infra.manifests.metadata import PROFILE_LABEL
from policy.reference import PAGE, RULES, policy_page
from policy.rule import Rule
from policy.rules import pods


def test_the_page_is_up_to_date() -> None:
    """Whoever changes a rule writes it anew: `python -m policy.reference`."""
    assert PAGE.read_text(encoding="utf-8") == policy_page()


def test_every_rule_has_a_name_of_its_own() -> None:
    """It stands in what the engine prints, and in links."""
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_why_and_what_to_do(rule: Rule) -> None:
    """In whole sentences."""
    for said in (rule.says, rule.reason, rule.fix):
        assert said.endswith(".")
        assert len(said) > 20


def test_the_label_of_a_profile_is_the_one_that_workers_have() -> None:
    """The two rooms do not know each other."""
    assert pods.PROFILE_LABEL == PROFILE_LABEL
