"""What a model's source says of its fields."""

from collections.abc import Iterator

import pytest

from fleet.catalogue import Model
from fleet.docstrings import field_docstrings
from stacks.spec import StackSpec


class Shared(Model):
    """Something that others extend."""

    name: str
    """What it is called."""
    size: int = 1
    """How large
    it is."""


class Extended(Shared):
    size: int = 2
    """How large it is here."""
    colour: str = "red"


def _models(model: type[Model]) -> Iterator[type[Model]]:
    for inner in model.__subclasses__():
        yield inner
        yield from _models(inner)


def test_a_field_means_what_stands_under_it_in_the_nearest_class() -> None:
    """A field without a docstring has none."""
    assert field_docstrings(Shared) == {"name": "What it is called.", "size": "How large\nit is."}
    assert field_docstrings(Extended) == {"name": "What it is called.", "size": "How large it is here."}


def test_an_editor_is_told_what_a_field_means() -> None:
    """Under the key that is written, also for a field whose type is a model of its own."""
    properties = StackSpec.model_json_schema()["properties"]
    assert properties["name"]["description"] == field_docstrings(StackSpec)["name"]
    assert properties["spotNodes"]["description"] == field_docstrings(StackSpec)["spot_nodes"]


@pytest.mark.parametrize(
    "model", [item for item in _models(Model) if item.__module__.startswith(("fleet.", "stacks."))]
)
def test_every_field_that_a_person_writes_says_what_it_means(model: type[Model]) -> None:
    """Error messages, editors and the reference show it."""
    assert set(model.model_fields) == set(field_docstrings(model))
