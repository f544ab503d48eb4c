"""What has to hold across fields before anything is applied: one module an idea, put together in `every`.

All rules return findings at their place in the file and say what breaking them leads to; none raises.
"""

from fleet.checks.every import check_catalogue, check_plan
from fleet.checks.patterns import binding_patterns_overlap, patterns_overlap

__all__ = ["binding_patterns_overlap", "check_catalogue", "check_plan", "patterns_overlap"]
