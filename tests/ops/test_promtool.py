"""promtool for the tests of the alerts: taken from PATH, unpacked once, or left out."""

from pathlib import Path

import pytest

from ops.processes import ProgramError
from ops.progress import Progress
from ops.promtool import find_promtool
from tests.ops.conftest import Programs

APT_CACHE = "print('prometheus:\\n  Installed: (none)\\n  Candidate: 2.53.3+ds1-2')"
APT_GET = "pathlib.Path('prometheus_2.53.3_amd64.deb').touch()"
DPKG_DEB = """
target = pathlib.Path(words[-1]) / "usr" / "bin"
target.mkdir(parents=True)
(target / "promtool").write_text("the program")
"""


def _environ(programs: Programs) -> dict[str, str]:
    return {"PATH": str(programs.folder)}


def test_the_package_is_unpacked_once(programs: Programs, tmp_path: Path) -> None:
    """Into the project's cache, in the version that apt offers; nothing is installed."""
    for name, body in (("apt-cache", APT_CACHE), ("apt-get", APT_GET), ("dpkg-deb", DPKG_DEB)):
        programs.write(name, body)
    cache = tmp_path / "cache"
    found = find_promtool(_environ(programs), cache, Progress())
    assert found == cache / "promtool-2.53.3+ds1-2"
    assert found.read_text() == "the program"
    assert find_promtool(_environ(programs), cache, Progress()) == found
    [downloaded] = programs.calls("apt-get")
    assert downloaded[-2:] == ["download", "prometheus=2.53.3+ds1-2"]
    assert list(cache.iterdir()) == [found]


def test_one_on_path_is_taken_as_it_is(programs: Programs, tmp_path: Path) -> None:
    """A machine with Prometheus's own tools needs no Debian."""
    programs.write("promtool", "")
    found = find_promtool(_environ(programs), tmp_path / "cache", Progress())
    assert found == programs.folder / "promtool"


def test_without_apt_there_is_none(programs: Programs, tmp_path: Path) -> None:
    """The tests that need it say so and are skipped."""
    assert find_promtool(_environ(programs), tmp_path / "cache", Progress()) is None


@pytest.mark.parametrize(
    ("apt_cache", "apt_get", "told"),
    [
        pytest.param("print('prometheus:\\n  Candidate: (none)')", APT_GET, "knows no version", id="package-lists-are-missing"),
        pytest.param(APT_CACHE, "sys.exit('no mirror')", "no mirror", id="the-mirror-does-not-answer"),
    ],
)  # fmt: skip
def test_an_apt_that_fails_is_told_and_leaves_nothing(
    programs: Programs, tmp_path: Path, apt_cache: str, apt_get: str, told: str
) -> None:
    """With its own words."""
    programs.write("apt-cache", apt_cache)
    programs.write("apt-get", apt_get)
    with pytest.raises(ProgramError, match=told):
        find_promtool(_environ(programs), tmp_path / "cache", Progress())
    assert list((tmp_path / "cache").glob("*")) == []
