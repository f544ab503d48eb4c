"""The tree of resources as text, one line each, and how two of them differ.

Invariant: a line holds what a reviewer of a graph looks at (place, name, type, protection) and no property, so an unchanged shape has no difference.
"""

from collections.abc import Iterable, Mapping
from difflib import unified_diff

from stacks.review.events import State

CONTEXT_LINES = 1


def graph_lines(states: Mapping[str, State]) -> list[str]:
    """Every resource below its component, by name."""
    children: dict[str, list[State]] = {}
    for state in states.values():
        if state.type != "pulumi:pulumi:Stack":
            children.setdefault(state.parent if _is_component(states.get(state.parent)) else "", []).append(state)

    def lines(parent: str, depth: int) -> Iterable[str]:
        for state in sorted(children.get(parent, ()), key=lambda item: (item.name, item.type)):
            marks = [word for word, said in (("protected", state.protected), ("kept", state.kept)) if said]
            yield f"{'  ' * depth}{state.name}  ({'; '.join([state.type, *marks])})"
            yield from lines(state.urn, depth + 1)

    return list(lines("", 0))


def _is_component(state: State | None) -> bool:
    return state is not None and state.type != "pulumi:pulumi:Stack"


def graph_difference(before: Mapping[str, State], after: Mapping[str, State]) -> tuple[str, ...]:
    """The lines of a unified diff, without its two lines of file names."""
    lines = unified_diff(graph_lines(before), graph_lines(after), lineterm="", n=CONTEXT_LINES)
    return tuple(lines)[2:]
