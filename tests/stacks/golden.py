"""The graph of an environment as text that a person reviews: `python -m tests.stacks.golden` writes it anew.

One line a resource: its name below its parent's, its type, whether it is protected or kept, and what it waits for. Of a component that is the
components right before it, taken from all that its resources depend on and without what another one waits for already; of a resource, its
neighbours in the same component. Lines stand in the order in which things are made; the other way round they are taken away.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from fleet.reference import write_anew
from tests.infra.recording import Recorded, Registration
from tests.stacks.programs import EKS_STACKS, eks_graph

FOLDER = Path(__file__).resolve().parent / "graphs"

Graph = Mapping[str, frozenset[str]]


def golden_file(stack: str) -> Path:
    """Where the graph of a stack is kept."""
    return FOLDER / f"{stack}.txt"


def component_graph(recorded: Recorded) -> dict[str, frozenset[str]]:
    """URN of each resource at the top -> those at the top that it or its children depend on."""
    top = {item.urn: recorded.ancestors_and_self(item)[-1].urn for item in recorded.resources}
    found: dict[str, set[str]] = {urn: set() for urn in top.values()}
    for item in recorded.resources:
        holder = top[item.urn]
        needed = item.depends_on | item.provider_urn
        found[holder] |= {top[urn] for urn in needed if urn in top and top[urn] != holder}
    return {urn: frozenset(needed) for urn, needed in found.items()}


def everything_before(graph: Graph, urn: str) -> set[str]:
    """All that is there before one resource."""
    seen: set[str] = set()
    queue = [urn]
    while queue:
        new = graph.get(queue.pop(), frozenset()) - seen
        seen |= new
        queue += new
    return seen


def _right_before(graph: Graph, urn: str) -> set[str]:
    """Without what is implied: a dependency that another dependency waits for."""
    needed = graph.get(urn, frozenset())
    return {other for other in needed if not any(other in everything_before(graph, third) for third in needed)}


def _in_order(graph: Graph, names: Mapping[str, str]) -> list[str]:
    """Each after what it waits for, by name where either may come first."""
    left, placed = dict(graph), list[str]()
    while left:
        ready = [urn for urn, needed in left.items() if not needed & left.keys()]
        assert ready, f"a circle among {[names[urn] for urn in left]}"
        first = min(ready, key=lambda urn: names[urn])
        placed.append(first)
        del left[first]
    return placed


def _line(item: Registration, depth: int, before: Iterable[str]) -> str:
    marks = [word for word, said in (("protected", item.protect), ("kept", item.retain_on_delete)) if said]
    names = ", ".join(sorted(before))
    said = [item.typ, *marks, *([f"after {names}"] if names else [])]
    return f"{'  ' * depth}{item.name}  ({'; '.join(said)})"


def render(recorded: Recorded) -> str:
    """The whole graph."""
    known = recorded.by_urn()
    names = {urn: item.name for urn, item in known.items()}
    children: dict[str, list[Registration]] = {}
    for item in recorded.resources:
        children.setdefault(item.parent if item.parent in known else "", []).append(item)
    lines: list[str] = []

    def add(items: list[Registration], graph: Graph, depth: int) -> None:
        for urn in _in_order({item.urn: graph[item.urn] for item in items}, names):
            lines.append(_line(known[urn], depth, (names[other] for other in _right_before(graph, urn))))
            below = children.get(urn, [])
            inside = {item.urn for item in below}
            add(below, {item.urn: frozenset(item.depends_on & inside) for item in below}, depth + 1)

    top = component_graph(recorded)
    add(children.get("", []), top, 0)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the graphs, naming those that changed."""
    for stack in EKS_STACKS:
        write_anew(golden_file(stack), render(eks_graph(stack)))


if __name__ == "__main__":
    main()
