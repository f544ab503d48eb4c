"""Why each number of a Plan is what it is: one module an idea, and `explaining` that puts them in order.

A rule is written once, as a template over named inputs; the text that a person reads, the arithmetic that a test evaluates and the line of the
reference all come from it. A new field of the Plan gets a `Number` that names it, a `Rule` for each way in which it comes about and a line in the
`explain` of its module; `tests/fleet/test_reasons.py` fails until it has them, or is listed there as stated.
Reasons are made only where somebody asks: neither workers nor the Pulumi program pay for text.
"""

from fleet.reasons.explaining import explain_plan

__all__ = ["explain_plan"]
