"""`@once`: a task whose message is delivered again does not run again; `docs/how-to/run-a-task-once.md` says what is guaranteed and what is not.

A delivery takes a lease on its key in the results store and runs; another one of the same key waits in the broker while the first runs, and gets the
first one's result when it has ended. A task that raises gives its lease back, so that its retry runs. What dies with its process gives nothing back:
its lease runs out.
"""

from app.once.decorating import fence, once
from app.once.delivery import ResultNotKeptError, WithoutStore, keep_leases

__all__ = ["ResultNotKeptError", "WithoutStore", "fence", "keep_leases", "once"]
