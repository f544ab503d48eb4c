"""The order of an environment as a diagram in the docs, drawn from its recorded graph: `python -m tests.stacks.diagram` draws it anew.

An arrow leads from what has to be there to what waits for it. The queues and their workers are drawn as one of each.
"""

import re
from pathlib import Path

from fleet.reference import write_anew
from tests.stacks.golden import golden_file

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "aws.md"
STACK = "prod"
BEGIN, END = "<!-- drawn by `python -m tests.stacks.diagram` -->\n", "<!-- end of the drawing -->\n"

_LINE = re.compile(r"^(?P<name>\S+)  \([^)]*?(?:; after (?P<after>[^;)]+))?\)$")
_MANY = {"queue-": "queues", "workers-": "workers"}


def _drawn_as(name: str) -> str:
    return next((one for prefix, one in _MANY.items() if name.startswith(prefix)), name)


def diagram(graph: str) -> str:
    """The components of a graph as a Mermaid flow chart."""
    arrows: dict[tuple[str, str], None] = {}
    for line in graph.splitlines():
        if (found := _LINE.match(line)) is not None:
            for before in (found["after"] or "").split(", "):
                if before:
                    arrows[_drawn_as(before), _drawn_as(found["name"])] = None
    drawn = "\n".join(f"  {before} --> {after}" for before, after in arrows if before != after)
    return f"```mermaid\nflowchart LR\n{drawn}\n```\n"


def page_with_diagram() -> str:
    """The page with the diagram as it is now."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + diagram(golden_file(STACK).read_text(encoding="utf-8")) + END + after


def main() -> None:
    """Draws it anew, naming the page if it changed."""
    write_anew(PAGE, page_with_diagram())


if __name__ == "__main__":
    main()
