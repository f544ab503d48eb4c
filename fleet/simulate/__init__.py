"""Whether a plan keeps its promises, tried out: tasks, slots, pods, the broker's statistics, KEDA and the autoscaler, event by event.

Needs numpy (the extra `simulate`), which neither the containers nor the rest of the core have. What is modelled, and what is not, is in
docs/explanation/simulation.md. A real autoscaler's recorded timeline is replayed so:

    spec = scaled_object(queue_plan.autoscaling)
    replay(horizontal_autoscaler(spec), proposal(spec), [(seconds, {"total": 12, "ready": 4}, replicas), ...])
"""

from fleet.simulate.autoscaler import HorizontalAutoscaler, replay
from fleet.simulate.engine import Run, Simulation
from fleet.simulate.keda import horizontal_autoscaler, proposal, scaled_object
from fleet.simulate.model import SimulatedQueue, Workload, World, simulated_queue, world_of
from fleet.simulate.outcome import Outcome
from fleet.simulate.policies import PolicyName, simulate, simulate_plan
from fleet.simulate.study import Comparison, compare
from fleet.simulate.trace_files import read_trace, recorded_workload
from fleet.simulate.traces import Trace, generate

__all__ = [
    "Comparison",
    "HorizontalAutoscaler",
    "Outcome",
    "PolicyName",
    "Run",
    "SimulatedQueue",
    "Simulation",
    "Trace",
    "Workload",
    "World",
    "compare",
    "generate",
    "horizontal_autoscaler",
    "proposal",
    "read_trace",
    "recorded_workload",
    "replay",
    "scaled_object",
    "simulate",
    "simulate_plan",
    "simulated_queue",
    "world_of",
]
