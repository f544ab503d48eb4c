"""Whether a plan keeps its promises, tried out: tasks, slots, pods, the broker's statistics, KEDA and the autoscaler, event by event."""
