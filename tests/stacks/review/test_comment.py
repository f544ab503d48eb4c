"""The comment: what a reviewer needs first, nothing that others wrote as anything but text, and never too long for GitHub."""

import re
from html import unescape
from typing import Any

import pytest
from msgspec import structs

from fleet.comparing import CostChange
from stacks.review.comment import MARKER, comment_text
from stacks.review.gates import judge
from stacks.review.markdown import LIMIT, Comment, Part, code, plain
from stacks.review.model import Preview
from stacks.review.overrides import Override, read_overrides
from tests.stacks.review.samples import DEPLOYMENT, VPC, change, month, preview, promise, step, violation

GITHUB_LIMIT = 65_536

HOSTILE = "`x` **b** <img src=x onerror=alert(1)> @everyone #1 [a](http://e.vil) | www.e.vil \\ ~~s~~ </details></pre> $x$ \u202eevil"


def text_of(*previews: Preview, description: str = "") -> str:
    overrides: tuple[Override, ...] = read_overrides(description)
    return comment_text(previews, judge(previews, overrides), overrides)


def first_lines(text: str) -> list[str]:
    """The three lines, as they are read."""
    return [unescape(line) for line in text.split("\n")[:5:2]]


def test_it_opens_with_verdict_change_and_cost() -> None:
    """In three lines, each a paragraph."""
    changed = preview(
        steps=(step("update", DEPLOYMENT, "web", change("a", "1", "2")), step("create", DEPLOYMENT, "new")),
        cost=CostChange(before=month(1000), after=month(1100)),
        promises=(promise(before=100, after=99.5),),
    )
    assert first_lines(text_of(changed, preview("staging"))) == [
        "**Review: all 6 gates pass**.",
        "**prod**: 1 created, 1 changed; **staging**: nothing changes.",
        "Expected month, USD: prod 1,100, was 1,000 (+10.0 %), staging 1,000. Promises: all 1 that are touched are kept in simulation.",
    ]


@pytest.mark.parametrize(
    ("fields", "description", "line"),
    [
        pytest.param({"steps": (step("replace", VPC, "vpc"),)}, "", "**Review: 1 of 6 gates fail:** replace-stateful.", id="failed"),
        pytest.param(
            {"steps": (step("replace", VPC, "vpc"),)}, "gate-override: replace-stateful nothing runs there yet",
            "**Review: all 6 gates pass**; overridden with a reason: replace-stateful.", id="overridden",
        ),
        pytest.param({"errors": ("queues.yaml:1:1: wrong",)}, "", "**Review: cannot be judged.** prod cannot be previewed.", id="not-judged"),
    ],
)  # fmt: skip
def test_the_verdict_comes_first(fields: dict[str, Any], description: str, line: str) -> None:
    """With the names of the gates."""
    assert first_lines(text_of(preview(**fields), description=description))[0] == line


def test_an_override_is_shown_with_its_reason_and_what_it_lets_through() -> None:
    """Nothing is hidden by it."""
    text = unescape(text_of(preview(steps=(step("replace", VPC, "vpc"),)), description="gate-override: replace-stateful nothing runs there yet"))  # fmt: skip
    assert "| replace-stateful | overridden | reason given: <code>nothing runs there yet</code> |" in text
    assert "Vpc vpc would be replaced" in text


@pytest.mark.parametrize(
    ("description", "said"),
    [
        pytest.param("gate-override: cost", "gate-override: cost</code> gives no reason", id="no-reason"),
        pytest.param("gate-override: price it is fine this time", "gate-override: price</code> names no gate", id="no-such-gate"),
    ],
)  # fmt: skip
def test_an_override_that_does_not_count_is_told(description: str, said: str) -> None:
    """Instead of being passed over."""
    assert said in unescape(text_of(preview(), description=description))


def test_every_kind_of_step_is_listed_field_by_field() -> None:
    """What goes first, because it costs most."""
    text = unescape(
        text_of(
            preview(
                steps=(
                    step("create", DEPLOYMENT, "new"),
                    step("update", DEPLOYMENT, "web", change("spec.replicas", "1", None)),
                    step("replace", VPC, "vpc", change("cidrBlock", "a", "b", replaces=True), protected=True),
                    step("delete", DEPLOYMENT, "old", kept=True),
                ),
                graph=("-old", "+new"),
            )
        )
    )
    assert re.findall(r"<summary>(.*?)</summary>", text) == [
        "Deleted: 1", "Replaced: 1", "Changed: 1", "Created: 1", "Graph of resources"
    ]  # fmt: skip
    assert "- Deployment <code>old</code> (kept)" in text
    assert "  - <code>cidrBlock</code>: <code>a</code> → <code>b</code> (replaces it)" in text
    assert "  - <code>spec.replicas</code>: <code>1</code> → nothing" in text
    assert "<pre>-old\n+new</pre>" in text


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    """Names, values, findings, reasons and errors alike: no tag, no mention, no link, no table cell of theirs."""
    hostile = preview(
        steps=(step("update", DEPLOYMENT, HOSTILE, change(HOSTILE, HOSTILE, HOSTILE)), step("delete", VPC, HOSTILE)),
        policies=(violation(message=HOSTILE), violation(mandatory=False, message=HOSTILE)),
        promises=(promise(before=99, after=1, queue=HOSTILE),),
        graph=(f"+{HOSTILE}",),
        base=HOSTILE,
        stood_in=(HOSTILE,),
    )
    text = text_of(
        hostile, preview("dev", errors=(HOSTILE,)), description=f"gate-override: policy {HOSTILE}\ngate-override: x"
    )
    ours = text.replace(MARKER, "")
    assert set(re.findall(r"</?[a-z]+", ours)) == {
        "<code", "</code", "<details", "</details", "<summary", "</summary", "<pre", "</pre", "<sub", "</sub"
    }  # fmt: skip
    assert text.count("<details>") == text.count("</details>")
    for mark in ("@", "`", "](", "http:", "www.", "onerror=alert(1)>", "~~", "\u202e", "$x"):
        assert mark not in ours.replace("`preview.json`", ""), mark
    assert not re.search(r"&#64;(?!&#8203;)[a-z](?![^<]*</(?:code|pre)>)", ours), "a mention outside of code"
    rows = [line for line in ours.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {4}


@pytest.mark.parametrize(
    "text",
    [
        "- item", "1. item", "12) item", "+ item", "# heading", "> quote", "    code", "* item", "a\n\n# heading",
        "a\r\n```\nb", "<!-- x", "&lt;b&gt;", "\\", "GH-1 \x00 \ud800",
    ],
)  # fmt: skip
def test_a_sentence_keeps_its_letters_and_opens_nothing(text: str) -> None:
    """Whatever it begins with."""
    for shown in (plain(text), code(text)):
        assert "\n" not in shown
        inner = shown.removeprefix("<code>").removesuffix("</code>")
        assert not re.match(r"[#>*\-+]|\d+[.)]|```", inner) or shown.startswith("<code>")
        assert "<" not in inner
        inner.encode()
    if text.isprintable() and text == text.strip():
        assert unescape(plain(text)) == text.replace("#", "#\u200b")


@pytest.mark.parametrize("steps", [100, 3000])
def test_it_is_never_longer_than_github_takes(steps: int) -> None:
    """Whole lines are left out, with their number, and the end is still there."""
    long = preview(
        steps=tuple(step("update", DEPLOYMENT, f"web-{n}", *[change(f"spec.{k}", "a" * 150, "b" * 150) for k in range(4)]) for n in range(steps)),
        graph=tuple(f"+line {n}" for n in range(steps)),
        policies=tuple(violation(message="long " * 300) for _ in range(steps)),
        promises=tuple(promise(before=99, after=1, queue=f"queue-{n}") for n in range(steps)),
    )  # fmt: skip
    previews = [structs.replace(long, stack=name) for name in ("dev", "local", "prod", "staging")]
    text = text_of(*previews)
    assert len(text) <= LIMIT < GITHUB_LIMIT
    assert text.endswith(f"{MARKER}\n")
    assert re.search(r"… \d+ more lines; all are in `preview.json`", text)
    assert text.count("<details>") == text.count("</details>")
    assert text.startswith("**Review: ")


def test_marks_alone_do_not_make_it_too_long() -> None:
    """Each is several characters once it opens nothing any more; the marker is still there."""
    marks = "#@`" * 2000
    long = preview(
        steps=tuple(step("delete", VPC, marks) for _ in range(50)),
        policies=tuple(violation(message=marks) for _ in range(50)),
        promises=tuple(promise(before=99, after=1, queue=marks) for _ in range(50)),
        errors=(marks,) * 50,
        versions={marks: marks},
    )
    others = [structs.replace(long, stack=f"{marks}{n}", versions={marks: str(n)}, errors=()) for n in range(4)]
    text = text_of(long, *others, description=f"gate-override: cost {marks}\n" + "gate-override: none\n" * 500)
    assert len(text) <= LIMIT
    assert text.endswith(f"{MARKER}\n")


def test_parts_that_do_not_fit_are_counted() -> None:
    """When not even a few lines of each have room."""
    crowded = Comment(head=["head"], parts=[Part(title="t", lines=["x" * 500] * 9) for _ in range(50)], foot=["foot"])
    text = crowded.render(limit=5000)
    assert len(text) <= 5000
    shown = text.count("<summary>")
    assert f"{50 - shown} more parts are in the files `preview.json`." in text
    assert text.endswith("foot\n")


def test_stacks_with_the_same_change_are_told_together() -> None:
    """Four lines that say one thing would be three too many."""
    steps = (step("update", DEPLOYMENT, "web"),)
    line = first_lines(text_of(preview("dev", steps=steps), preview("prod", steps=steps), preview("staging")))[1]
    assert line == "**dev, prod**: 1 changed; **staging**: nothing changes."
