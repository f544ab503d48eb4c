"""The figures of a review: how long all previews take, what the policy pack adds, how long the comment of a large change is.

`python -m bench.pull_requests all` writes `bench/results/pull-requests.json`. Nothing has to run, and no account is needed. Each figure is kept as
soon as it is known, so an interrupted run keeps what it had. Seconds of CPU are those of the whole tree of processes, which other work on the machine
hardly changes; `policy_overhead_ratio` is made of them.
"""

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from bench.measuring import measure_each, names_asked
from bench.previews import many_queues
from ops import preview_engine
from ops.checkouts import copy_work_tree
from ops.preview_engine import Engine
from ops.side_by_side import SideBySide
from ops.stack_files import stack_names
from ops.target import ROOT, own_environment
from stacks.review.comment import comment_text
from stacks.review.gates import judge
from stacks.review.recording import record_preview

NAME = "pull-requests"
COMMAND = "python -m bench.pull_requests"
ROUNDS = 3
MANY_QUEUES = 100
LARGE_BROKER = {"memory": "16Gi", "storage": "10Gi"}
"""What holds the connections and the backlog of so many queues."""

JUDGED = "prod"
"""The largest stack: what a pack costs is asked of it."""


@dataclass(kw_only=True)
class Taken:
    """What a piece of work took."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def measured() -> Iterator[Taken]:
    """Wall time and CPU of the body's child processes, which have to have ended with it."""
    taken, begin, before = Taken(), time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    yield taken
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken.seconds = time.monotonic() - begin
    taken.cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def all_previews(environ: Mapping[str, str]) -> dict[str, Any]:
    """`make preview` of all stacks, then the same against a base: the last commit."""
    figures: dict[str, Any] = {}
    for name, words in (("preview_all", []), ("preview_all_with_base", ["--base", "HEAD"])):
        with tempfile.TemporaryDirectory(prefix="review-bench-") as out, measured() as taken:
            command = [sys.executable, "-m", "ops", "preview", "--out", out, *words]
            subprocess.run(command, cwd=ROOT, env=dict(environ), stderr=subprocess.DEVNULL, check=True)
        figures |= {f"{name}_seconds": round(taken.seconds, 1), f"{name}_cpu_seconds": round(taken.cpu_seconds, 1)}
    return {**figures, "preview_all_stacks": len(stack_names(ROOT))}


@contextmanager
def project(environ: Mapping[str, str], stack: str) -> Iterator[tuple[Engine, Path]]:
    """A copy of the project with a stack that nothing is deployed to, in an account that exists nowhere."""
    with tempfile.TemporaryDirectory(prefix="review-bench-") as temporary, SideBySide() as programs:
        folder = Path(temporary) / "project"
        folder.mkdir()
        copy_work_tree(ROOT, folder)
        engine = preview_engine.imagined_engine(environ, ROOT, Path(temporary) / "engine", programs)
        preview_engine.open_settings(folder / f"Pulumi.{stack}.yaml")
        preview_engine.start_stack(engine, folder, stack)
        yield engine, folder


def policy_overhead(environ: Mapping[str, str]) -> dict[str, Any]:
    """Previews with the pack and without, alternately; the ratio is that of the medians. A first one of each fills the caches."""
    taken: dict[bool, list[Taken]] = {True: [], False: []}
    with project(environ, JUDGED) as (engine, folder):
        for _ in range(ROUNDS + 1):
            for policy, runs in taken.items():
                with measured() as one:
                    done = preview_engine.preview(engine, folder, JUDGED, policy=policy)
                if not done.succeeded:
                    raise SystemExit(f"the preview of {JUDGED} failed:\n{done.said}")
                runs.append(one)
    cpu = {policy: statistics.median(one.cpu_seconds for one in runs[1:]) for policy, runs in taken.items()}
    wall = {policy: statistics.median(one.seconds for one in runs[1:]) for policy, runs in taken.items()}
    return {
        "policy_overhead_ratio": round(cpu[True] / cpu[False], 2),
        "policy_overhead_wall_ratio": round(wall[True] / wall[False], 2),
        "policy_cpu_seconds": {"with": round(cpu[True], 1), "without": round(cpu[False], 1)},
    }


def large_change(environ: Mapping[str, str]) -> dict[str, Any]:
    """The comment on a change of a hundred queues, each with more load than before."""
    with project(environ, "local") as (engine, folder), tempfile.TemporaryDirectory(prefix="review-bench-") as before:
        catalogue, settings = many_queues(MANY_QUEUES), "Pulumi.local.yaml"
        stated = yaml.safe_load((folder / settings).read_text())
        stated["config"] = {**stated.get("config", {}), "celery-fleet:environment": {"broker": LARGE_BROKER}}
        (folder / settings).write_text(yaml.safe_dump(stated))
        (folder / "queues.yaml").write_text(catalogue)
        (Path(before) / "queues.yaml").write_text(catalogue)
        (Path(before) / settings).write_text((folder / settings).read_text())
        preview_engine.bring_up(engine, folder, "local")
        (folder / "queues.yaml").write_text(re.sub(r"peak: 0\.2/s", "peak: 0.9/s", catalogue))
        done = preview_engine.preview(engine, folder, "local", policy=True)
        preview = record_preview(
            done.events.splitlines(), stack="local", head=folder, base=Path(before), base_name="before", imagined=True,
            stood_in=engine.stood_in, said=done.said, failed=not done.succeeded,
        )  # fmt: skip
    if preview.errors:
        raise SystemExit("\n".join(preview.errors))
    text = comment_text([preview], judge([preview]))
    return {
        f"comment_{MANY_QUEUES}_queues_characters": len(text),
        f"comment_{MANY_QUEUES}_queues_resources_changed": len(preview.steps),
        f"comment_{MANY_QUEUES}_queues_changed": len(preview.comparison.queues if preview.comparison else ()),
    }


MEASUREMENTS: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
    "previews": all_previews,
    "policy": policy_overhead,
    "comment": large_change,
}


def main() -> None:
    """Measure what was asked for."""
    asked = names_asked(COMMAND, __doc__, MEASUREMENTS, purpose="what to measure")
    environ = own_environment(os.environ)
    chosen = {name: partial(MEASUREMENTS[name], environ) for name in asked}
    measure_each(NAME, f"{COMMAND} all", chosen, lambda: environ)


if __name__ == "__main__":
    main()
