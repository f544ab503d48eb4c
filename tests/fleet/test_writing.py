"""What is written back is what was read, and reads as a person would write it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bench.faults import FOLDER
from fleet.catalogue import Catalogue
from fleet.files import parse_catalogue, read_catalogue
from fleet.quantities import Cpu, Duration, Rate, Size
from fleet.reading import load_catalogue, validate_catalogue
from fleet.writing import render_catalogue
from tests.fleet.strategies import Raw, catalogues

ROOT = Path(__file__).parents[2]


def read(text: str) -> Catalogue:
    catalogue, findings = validate_catalogue(parse_catalogue({"f": text}))
    assert findings == []
    assert catalogue is not None
    return catalogue


@given(catalogues())
def test_what_was_written_is_read_back_equal(raw: Raw) -> None:
    """The law of the writer, over whole catalogues."""
    catalogue = read(yaml.safe_dump(raw, sort_keys=False))
    assert read(render_catalogue(catalogue)) == catalogue


@pytest.mark.parametrize("file", [ROOT / "queues.yaml", FOLDER / "queues.yaml"], ids=["the-sample", "every-field"])
def test_a_file_is_written_back_equal(file: Path) -> None:
    """Aliases, lists of models, environment variables and null where a default has to be undone."""
    catalogue, _ = validate_catalogue(read_catalogue(file))
    assert catalogue is not None
    assert read(render_catalogue(catalogue)) == catalogue


def test_a_catalogue_reads_as_a_person_would_write_it() -> None:
    """Without comments the sample is written back line by line."""
    lines = [line.partition(" #")[0].rstrip() for line in (ROOT / "queues.yaml").read_text().splitlines()]
    written = render_catalogue(load_catalogue(ROOT / "queues.yaml")).splitlines()
    canonical = {"1200ms": "1.2s", "0.2/s": "12/min", "60s": "1m"}
    for old, new in canonical.items():
        lines = [line.replace(old, new) for line in lines]
    assert written == [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    ("kind", "text", "canonical"),
    [
        pytest.param(Duration, "0.08s", "80ms", id="below-a-second"),
        pytest.param(Duration, "90m", "1h30m", id="hours"),
        pytest.param(Duration, "61.5s", "61.5s", id="parts-of-a-second"),
        pytest.param(Rate, "12/min", "12/min", id="no-whole-number-a-second"),
        pytest.param(Rate, "120/min", "2/s", id="a-whole-number-a-second"),
        pytest.param(Rate, "0.5/d", "0.000005787037037037037/s", id="a-rate-that-is-whole-in-no-unit"),
        pytest.param(Size, "1024Mi", "1Gi", id="the-largest-unit"),
        pytest.param(Cpu, "1.5", "1500m", id="parts-of-a-core"),
        pytest.param(Cpu, "2000m", "2", id="whole-cores"),
    ],
)
def test_a_quantity_is_written_in_its_canonical_unit(kind: Any, text: str, canonical: str) -> None:
    """One text for one number, and the same number from it."""
    adapter = TypeAdapter[float](kind)
    number = adapter.validate_python(text)
    assert adapter.dump_python(number, mode="json") == canonical
    assert adapter.validate_python(canonical) == number


@given(st.floats(0.0001, 7_776_000))
def test_any_duration_is_read_back_exactly(seconds: float) -> None:
    """Measured runtimes have every digit there is."""
    adapter = TypeAdapter[float](Duration)
    assert adapter.validate_python(adapter.dump_python(seconds, mode="json")) == seconds


@given(st.floats(1e-6, 1e6))
def test_any_rate_is_read_back_exactly(per_second: float) -> None:
    """Measured rates too."""
    adapter = TypeAdapter[float](Rate)
    assert adapter.validate_python(adapter.dump_python(per_second, mode="json")) == per_second
