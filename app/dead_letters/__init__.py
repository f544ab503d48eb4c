"""Dead letters for people: what lies there and why, back to its queue, or away. `fleet dlq` starts it as `python -m app.dead_letters`."""
