"""The sample tasks on real input."""

import base64
import io
import time
from typing import Any

import pytest
from PIL import Image

from app.tasks.images import thumbnail
from app.tasks.mail import render
from app.tasks.orders import charge, confirm
from app.tasks.reports import build


def picture(width: int, height: int, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGBA" if kind == "PNG" else "RGB").save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("width", "height", "kind", "expected"),
    [
        pytest.param(640, 480, "JPEG", (64, 48), id="landscape"),
        pytest.param(300, 600, "PNG", (32, 64), id="portrait-with-transparency"),
        pytest.param(20, 10, "PNG", (20, 10), id="small-pictures-stay"),
    ],
)
def test_a_thumbnail_keeps_its_proportions(width: int, height: int, kind: str, expected: tuple[int, int]) -> None:
    made = thumbnail(picture(width, height, kind), size=64)
    with Image.open(io.BytesIO(base64.b64decode(made["image"]))) as opened:
        assert opened.format == "JPEG"
        assert opened.size == expected == (made["width"], made["height"])


@pytest.mark.parametrize("image", ["not base64!", base64.b64encode(b"no picture").decode()], ids=["text", "bytes"])
def test_what_is_no_picture_is_refused_by_name(image: str) -> None:
    with pytest.raises(ValueError, match="image is no picture in base64"):
        thumbnail(image)


def test_an_order_is_confirmed_alike_each_time() -> None:
    """A task that may run twice has to say the same twice."""
    first = confirm("A-1", 1999)
    assert first == confirm("A-1", 1999)
    assert first["confirmation"] != confirm("A-2", 1999)["confirmation"]


@pytest.mark.parametrize("task", [confirm, charge], ids=["confirm", "charge"])
def test_an_order_below_zero_is_refused(task: Any) -> None:
    with pytest.raises(ValueError, match="below zero"):
        task("A-1", -1)


def test_a_charge_is_known_to_the_provider_by_its_order() -> None:
    """Called by hand there is no lease, so there is no fence."""
    assert charge("A-1", 1999) == {
        "order_id": "A-1", "charged_cents": 1999, "idempotency_key": "charge-A-1", "fence": None,
    }  # fmt: skip


def test_a_mail_holds_its_values() -> None:
    assert render("order", {"name": "Ada", "order_id": "A-1"})["body"].startswith("Dear Ada,\n\nyour order A-1 ")


def test_a_digest_without_news_says_so() -> None:
    assert "nothing happened" in render("digest", {"name": "team"})["body"]


def test_an_unknown_template_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="digest, order"):
        render("invoice", {})


def test_a_report_computes_for_as_long_as_it_is_told() -> None:
    started = time.monotonic()
    report = build("R-1", seconds=0.3)
    assert 0.3 <= time.monotonic() - started < 3
    assert report["rows"] == 3


def test_a_report_that_is_built_twice_is_the_same() -> None:
    assert build("R-1", seconds=0.2) == build("R-1", seconds=0.2)
