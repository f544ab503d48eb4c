"""The reference of a stack's settings, written from their model: `python -m stacks.reference` writes `docs/reference/stack.md`.

Invariant: what is said of a key is the docstring that its error message shows too.
"""

import sys

from fleet.reference import FOLDER, sections
from stacks.settings import PROJECT, StackSpec

PAGE = FOLDER / "stack.md"


def stack_page() -> str:
    """The page of the settings of a stack."""
    lines = [
        "<!-- Written by `python -m stacks.reference` from the model in stacks/settings.py; change that. -->\n",
        "# The settings of a stack\n",
        f"They stand in `Pulumi.<stack>.yaml`, each key with `{PROJECT}:` in front; `pulumi config set --path` writes them. A key that is not listed",
        "here is refused, with the nearest one that is, and nothing is registered while there is a finding.\n",
        "Four variables override the file, so that working against another cluster leaves no change in it: `FLEET_CONTEXT` (`context`),",
        "`FLEET_BASE_IMAGE` (`images.base`), `FLEET_RESULTS_PASSWORD` (where `resultsPassword` is not set), `FLEET_IMAGES=local` (images are loaded",
        "into the node where they are built).\n",
        *sections(StackSpec),
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Writes the page, naming it if it changed."""
    text = stack_page()
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        PAGE.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
