"""Building the Go programs: what is missing, several families at once as memory allows, resumed where it was cut off.

Invariant: a binary appears in the cache by one rename, whole or not at all. Go's own build cache lies in the cache
folder too, so an interrupted build continues with the packages that were already compiled.
Source of the flags and of the memory figures: cold builds on two cores, measured.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil

from sandbox.errors import BuildError, RefusalError
from sandbox.locks import locked_cache
from sandbox.programs import Family
from sandbox.progress import Progress, Step

OLDEST_GO = (1, 26)
_PACKAGE_LINE = re.compile(r"[\w.\-/~]+")


class Stop:
    """Ends the compilers that run when one of them, or a person, has ended the work."""

    def __init__(self) -> None:
        self.asked = False
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()

    def ask(self) -> None:
        """End what runs; nothing more is begun."""
        with self._lock:
            self.asked = True
            for one in self._running:
                one.terminate()

    @contextmanager
    def watching(self, one: subprocess.Popen[str]) -> Iterator[None]:
        """End `one` too when asked while the body runs."""
        with self._lock:
            self._running.add(one)
            if self.asked:
                one.terminate()
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(one)


def check_go() -> str:
    """The version of the Go on PATH.

    Raises: RefusalError when there is none, or it is too old for the programs' go.mod files.
    """
    wanted = ".".join(map(str, OLDEST_GO))
    try:
        said = subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        said = ""
    found = re.search(r"go(\d+)\.(\d+)\S*", said)
    if found is None:
        raise RefusalError("go", "it is not on PATH, and the cache holds no finished programs", f"Install Go {wanted}.")
    if (int(found.group(1)), int(found.group(2))) < OLDEST_GO:
        raise RefusalError("go", f"{found.group(0)} is too old to build Kubernetes", f"Install Go {wanted} or newer.")
    return found.group(0)


def go_environment(cache: Path) -> dict[str, str]:
    """The environment of every go command: nothing is written outside the cache, nothing is picked anew."""
    return {
        **os.environ,
        "GOCACHE": str(cache / "go" / "build"),
        "GOMODCACHE": str(cache / "go" / "mod"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        # Less garbage collection in the compiler: a fifth less time for a third more memory.
        "GOGC": "400",
        # -modcacherw: so that `clean` can remove the modules without asking Go to.
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
    }


def builds_at_once(families: Iterable[Family], *, cores: int, available_gib: float) -> int:
    """How many families build side by side: one compiler already fills two cores, and memory must hold all."""
    largest = max((family.peak_memory_gib for family in families), default=1.0)
    return max(1, min(cores // 2, int(available_gib / largest)))


def written_as(package: str) -> str:
    """The file name `go build` gives to a package's binary: its last element that is no major version."""
    elements = package.split("/")
    return elements[-2] if re.fullmatch(r"v\d+", elements[-1]) else elements[-1]


def provide_programs(families: Iterable[Family], cache: Path, progress: Progress) -> None:
    """`build_programs` for whoever does not hold the cache's lock, which is taken where something is missing.

    Raises: SandboxError when another command goes on building for too long, and what `build_programs` raises.
    """
    families = tuple(families)
    if any(family.missing(cache) for family in families):
        with locked_cache(cache, progress):
            build_programs(families, cache, progress)


def build_programs(families: Iterable[Family], cache: Path, progress: Progress) -> None:
    """Build what the cache lacks, in the given order; its caller is alone with the cache.

    Raises: RefusalError without a usable Go, BuildError with the compiler's words.
    """
    families = tuple(families)
    wanted = [family for family in families if family.missing(cache)]
    if not wanted:
        return
    check_go()
    (cache / "logs").mkdir(parents=True, exist_ok=True)
    available = psutil.virtual_memory().available / 2**30
    at_once = builds_at_once(wanted, cores=os.cpu_count() or 1, available_gib=available)
    stop = Stop()
    with ThreadPoolExecutor(at_once, thread_name_prefix="go-build") as pool:
        building = [pool.submit(_build_family, family, cache, progress, stop) for family in wanted]
        try:
            for one in building:
                one.result()
        except BaseException:
            # Ctrl-C or the first failure: the other compilers stop too, what they finished is kept.
            stop.ask()
            for one in building:
                one.cancel()
            raise
    if not any(family.missing(cache) for family in families):
        # Ten times the size of what was made from them, and a changed go.mod fetches only its own family again.
        with progress.step("remove what the compiler kept"):
            shutil.rmtree(cache / "go", ignore_errors=True)


def _build_family(family: Family, cache: Path, progress: Progress, stop: Stop) -> None:
    if stop.asked:
        return
    kept = family.kept_in(cache)
    kept.mkdir(parents=True, exist_ok=True)
    log = cache / "logs" / f"build-{family.name}.log"
    environment = go_environment(cache)
    with progress.step(f"build {family.name} {family.version}") as step:
        missing = [name for name in family.binaries if not (kept / name).exists()]
        if missing:
            unfinished = cache / "unfinished" / f"{family.name}-{os.getpid()}"
            unfinished.mkdir(parents=True, exist_ok=True)
            try:
                _compile(family, missing, unfinished, log=log, step=step, stop=stop, environment=environment)
                for name in missing:
                    (unfinished / written_as(family.binaries[name])).rename(kept / name)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            _record_seconds(cache, family, step.seconds)
        for name, source in family.assets.items():
            if not (kept / name).exists():
                _keep_asset(family, source, kept / name, environment)


def _compile(
    family: Family,
    names: list[str],
    output: Path,
    *,
    log: Path,
    step: Step,
    stop: Stop,
    environment: dict[str, str],
) -> None:
    packages = [family.binaries[name] for name in names]
    # A name of the output that is a folder makes go write each binary under its package's last element.
    command = ["go", "build", "-v", "-trimpath", *family.flags, f"-ldflags={family.linker_flags}", "-o", f"{output}/"]
    with (
        log.open("w") as kept_log,
        subprocess.Popen(
            [*command, *packages], cwd=family.folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as compiler,
        stop.watching(compiler),
    ):  # fmt: skip
        assert compiler.stderr is not None  # noqa: S101 - given by stderr=PIPE
        compiled = downloaded = 0
        for line in compiler.stderr:
            kept_log.write(line)
            if line.startswith("go: downloading"):
                downloaded += 1
            elif _PACKAGE_LINE.fullmatch(line.strip()):
                compiled += 1
            step.note(f"{compiled} packages compiled" if compiled else f"{downloaded} modules fetched")
    if compiler.returncode != 0:
        said = [line for line in log.read_text().splitlines() if not _PACKAGE_LINE.fullmatch(line)]
        words = "; ".join(line for line in said[-4:] if not line.startswith("go: downloading"))
        raise BuildError(f"build of {family.name} {family.version}", words or "the compiler was stopped", log)


def _keep_asset(family: Family, source: str, target: Path, environment: dict[str, str]) -> None:
    found = subprocess.run(
        ["go", "mod", "download", "-json", f"{family.module}@{family.version}"],
        cwd=family.folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(Path(json.loads(found.stdout)["Dir"]) / source, unfinished)
    unfinished.rename(target)


def _record_seconds(cache: Path, family: Family, seconds: float) -> None:
    """Keep how long the build took, for whoever asks what a cold start costs."""
    figures = cache / "build-seconds" / f"{family.kept_in(cache).name}.json"
    figures.parent.mkdir(exist_ok=True)
    figures.write_text(json.dumps({"seconds": round(seconds, 1), "cores": os.cpu_count()}) + "\n")
