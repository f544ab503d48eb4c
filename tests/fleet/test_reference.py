"""The reference that is generated from the models is the one in the repository."""

import pytest

from fleet.reference import FOLDER, PAGES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    """Whoever changes a model writes its page anew: `python -m fleet.reference`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()
