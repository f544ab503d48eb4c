"""`make preview`: what a change does to every stack, by the real engine, on any machine.

Invariant: the work tree is only read; each stack gets its own folder of files and its own outcome, and one that cannot be previewed hides no other.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fleet.errors import FleetError, UsageError
from ops import preview_engine
from ops.checkouts import check_out, copy_work_tree, find_base
from ops.preview_engine import Engine, Previewed
from ops.progress import Progress, Step
from ops.side_by_side import SideBySide, interrupted_once
from ops.stack_files import stack_names, target_of
from ops.target import ROOT, own_environment, stack_config

FOLDER = "preview"
DEPLOYED = "what is deployed"
AT_ONCE = 2
"""Engines that run side by side: each keeps one core busy, and a third would only wait."""

EXIT_INCOMPLETE = 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be previewed."""

    stacks: tuple[str, ...]
    base: str | None
    """Revision that the change is compared with; None where everything is new, or the state itself is what it is compared with."""
    out: Path
    imagined: bool = False
    """Whether everything is stood in for, also where there are credentials."""


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The project's files."""

    head: Path
    base: Path | None
    base_name: str | None


def choose_stacks(asked: Iterable[str], root: Path = ROOT) -> tuple[str, ...]:
    """The stacks that were asked for; all of them where none was.

    Raises: UsageError for one that has no file.
    """
    known, wanted = stack_names(root), tuple(dict.fromkeys(asked))
    for stack in wanted:
        if stack not in known:
            raise UsageError(f"STACK={stack}", f"has no file Pulumi.{stack}.yaml", f"There are {', '.join(known)}.")
    return wanted or known


def preview_stacks(request: Request, environ: Mapping[str, str], progress: Progress, root: Path = ROOT) -> int:
    """Write `preview.json` and `preview.md` of every stack, and one comment on all; exit code 1 where a preview is not whole.

    Raises: UsageError when the base is no revision, ProgramError when there is no engine.
    """
    own = own_environment(environ)
    commit = find_base(root, request.base) if request.base else None
    # Programs end before their threads are waited for, and what they write into is removed when both have.
    with (
        interrupted_once(), TemporaryDirectory(prefix="fleet-preview-") as temporary,
        ThreadPoolExecutor(AT_ONCE) as pool, SideBySide() as programs,
    ):  # fmt: skip
        folder = Path(temporary)
        sides = _copies(root, folder, commit, request.base)
        engines = _engines(request, own, root, folder, programs)
        for line in dict.fromkeys(line for engine in engines.values() for line in engine.stood_in):
            progress.say(line)
        with progress.step(f"preview {', '.join(request.stacks)}") as step:
            one = partial(_one, sides=sides, request=request, folder=folder, step=step, environ=own)
            codes = list(pool.map(lambda stack: one(stack, engines[stack]), request.stacks))
        _comment(request, programs, own)
    return max(codes, default=0)


def _comment(request: Request, programs: SideBySide, environ: Mapping[str, str]) -> None:
    """Write the comment on what was previewed, and say its verdict; judging it is another command's, with another exit code."""
    files = [str(request.out / stack / "preview.json") for stack in request.stacks]
    _ours(programs, ["stacks.review", *files, "--out", str(request.out / "comment.md")], environ)


def _ours(programs: SideBySide, words: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code of a module of this project, which says itself what is wrong."""
    done = programs.run([sys.executable, "-m", *words], env=environ, cwd=ROOT, fix=preview_engine.FIX)
    sys.stderr.write(done.stderr)
    return done.returncode


def _copies(root: Path, folder: Path, commit: str | None, named: str | None) -> Sides:
    """Both sides in folders of the same length and name, so that no path tells them apart."""
    head = folder / "head" / "project"
    head.mkdir(parents=True)
    copy_work_tree(root, head)
    if commit is None:
        return Sides(head=head, base=None, base_name=None)
    base = folder / "base" / "project"
    base.mkdir(parents=True)
    check_out(root, commit, base)
    return Sides(head=head, base=base, base_name=f"{named} ({commit[:12]})")


def _engines(
    request: Request, environ: Mapping[str, str], root: Path, folder: Path, programs: SideBySide
) -> dict[str, Engine]:
    """Stack -> its engine; the imagined one is made once, and only where it is needed."""
    found: dict[str, Engine] = {}
    imagined: Engine | None = None
    for stack in request.stacks:
        if not request.imagined and preview_engine.has_own_engine(target_of(stack_config(root, stack)), environ):
            found[stack] = preview_engine.own_engine(environ, programs)
        else:
            imagined = imagined or preview_engine.imagined_engine(environ, root, folder / "engine", programs)
            found[stack] = imagined
    return found


def _one(
    stack: str, engine: Engine, *, sides: Sides, request: Request, folder: Path, step: Step, environ: Mapping[str, str]
) -> int:
    """One stack, whatever becomes of it."""
    base_name = sides.base_name if engine.imagined else DEPLOYED
    problems: list[str] = []
    done = Previewed(events="", succeeded=True, said="")
    try:
        if engine.imagined:
            step.note(f"{stack}: the base")
            base_name = _prepare(stack, engine, sides)
        step.note(f"{stack}: the change")
        done = preview_engine.preview(engine, sides.head if engine.imagined else ROOT, stack)
    except FleetError as error:
        problems.append(str(error))
    events, said = folder / f"{stack}.events", folder / f"{stack}.said"
    events.write_text(done.events, encoding="utf-8")
    said.write_text(done.said, encoding="utf-8")
    words = [
        *("--stack", stack, "--events", str(events), "--head", str(sides.head), "--out", str(request.out / stack)),
        *(("--base", str(sides.base)) if sides.base is not None else ()),
        *(("--base-name", base_name) if base_name else ()),
        *(("--imagined",) if engine.imagined else ()),
        *(() if done.succeeded else ("--failed", "--said", str(said))),
        *(f"--stood-in={line}" for line in engine.stood_in),
        *(f"--problem={problem}" for problem in problems),
    ]
    return _record(engine.programs, words, environ)


def _prepare(stack: str, engine: Engine, sides: Sides) -> str | None:
    """Give the stack its state: empty, or with the base brought up; what it is to be compared with, in words."""
    name = f"Pulumi.{stack}.yaml"
    preview_engine.open_settings(sides.head / name)
    # A stack that the change itself brings has no other side.
    if sides.base is None or not (sides.base / name).exists():
        preview_engine.start_stack(engine, sides.head, stack)
        return None
    preview_engine.open_settings(sides.base / name)
    preview_engine.start_stack(engine, sides.base, stack)
    preview_engine.bring_up(engine, sides.base, stack)
    preview_engine.carry_salt(sides.base / name, sides.head / name)
    return sides.base_name


def _record(programs: SideBySide, words: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code of the recorder.

    Raises: FleetError when it could write nothing.
    """
    code = _ours(programs, ["stacks.review.recording", *words], environ)
    if code not in (0, EXIT_INCOMPLETE):
        raise FleetError("python -m stacks.review.recording", f"ended with exit code {code}", preview_engine.FIX)
    return code
