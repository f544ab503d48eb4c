"""The reference of the rules, written from the rules: `python -m policy.reference` writes `docs/reference/policy.md`."""

from collections.abc import Iterator

from fleet.reference import FOLDER, write_anew
from policy.rule import ELSEWHERE, Rule
from policy.rules import RESOURCE_RULES, STACK_RULES

PAGE = FOLDER / "policy.md"

RULES: tuple[Rule, ...] = (*RESOURCE_RULES, *STACK_RULES)


def policy_page() -> str:
    """The page of all rules."""
    lines = [
        "<!-- Written by `python -m policy.reference` from the rules in policy/; change those. -->\n",
        "# The policy pack\n",
        "What every resource of a stack has to meet. The engine asks of each resource before it is made, and once more of all of them together:\n",
        "```console",
        "$ pulumi preview -s prod --policy-pack policy    # the same for `pulumi up`",
        "```\n",
        "A finding says where, what happens otherwise and what to do. A mandatory one fails the command: a resource that breaks such a rule is not",
        "created. An advisory one is told, and nothing more. What a preview cannot know yet is not judged; the update asks again. The environment is",
        "the stack's name. No finding shows the value of a property, which may be a secret.\n",
        "The same rules are asked of the recorded graphs of all four stacks by `make check` and `make scan`, without an engine.\n",
        "| rule | holds | level |",
        "|---|---|---|",
        *(f"| [`{rule.id}`](#{rule.id}) | {rule.says} | {_levels(rule)} |" for rule in RULES),
        *_details(),
        "\n## What is not judged\n",
        "- Objects in the namespace `rabbitmq-system`, which the operators' release manifests bring, are upstream's and pinned by their version; of the",
        "  rules on pods only `image-tag` and `plain-credentials` hold for them. What a Helm chart installs reaches the engine as one release, without",
        "  its objects.",
        "- RabbitMQ and Valkey are named by the version that `fleet/versions.py` pins, not by digest: the version matrix compares what the name says, and",
        "  every architecture and mirror has a digest of its own.",
        "- The load balancer of the web layer is made by its controller from the Ingress; `celery-fleet:aws.web.inboundCidrs` says who reaches it.",
    ]
    return "\n".join(lines).rstrip() + "\n"


def _details() -> Iterator[str]:
    for rule in RULES:
        yield f"\n## {rule.id}\n"
        yield f"{rule.says} ({_levels(rule)})\n"
        yield f"- Otherwise: {rule.reason}"
        yield f"- To do: {rule.fix}"


def _levels(rule: Rule) -> str:
    """`mandatory`, or by environment: `mandatory in prod, advisory elsewhere`."""
    if set(rule.levels) == {ELSEWHERE}:
        return str(rule.levels[ELSEWHERE])
    by_level: dict[str, list[str]] = {}
    for environment, level in rule.levels.items():
        by_level.setdefault(level, []).append(environment if environment == ELSEWHERE else f"in {environment}")
    return ", ".join(f"{level} {' and '.join(where)}" for level, where in by_level.items())


def main() -> None:
    """Writes the page, naming it if it changed."""
    write_anew(PAGE, policy_page())


if __name__ == "__main__":
    main()
