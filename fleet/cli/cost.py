"""`fleet cost`."""

from fleet.cli.answers import print_json, print_lines
from fleet.cli.options import CATALOGUE, STACK, FileOption, JsonOption, StackOption


def cost(file: FileOption = CATALOGUE, stack: StackOption = STACK, as_json: JsonOption = False) -> None:
    """Show what a month costs, by queue and in all."""
    from fleet.cli.loading import draft, named_environment
    from fleet.demand import CostAnswer
    from fleet.loading import finish
    from fleet.promise_cost import promise_costs

    drafted = draft(file, stack)
    derived = finish(drafted)
    promises = promise_costs(derived, drafted.catalogue, named_environment(file, stack)) if drafted.catalogue else ()
    answer = CostAnswer(environment=stack, cost=derived.cost, promises=promises)
    if as_json:
        print_json(answer)
        return

    from datetime import UTC, datetime

    from fleet.cost_rendering import cost_lines
    from fleet.tables import find_screen

    print_lines(cost_lines(answer, find_screen(), today=datetime.now(UTC).date()))
