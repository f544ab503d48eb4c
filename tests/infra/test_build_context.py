"""What the build sees, and what its tag says about it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.build_context import content_tag, read_ignore_file, seen_files
from sandbox.standins.docker_build.build_context import files_in, parse_ignore_file

ROOT = Path(__file__).parents[2]

FILES = (
    "Dockerfile",
    "app/main.py",
    "app/__pycache__/main.pyc",
    "fleet/plan.py",
    "fleet/cli/entry.py",
    "README.md",
    ".git/HEAD",
)


def write(folder: Path, *names: str) -> Path:
    """A context with these files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


@pytest.mark.parametrize(
    ("ignored", "seen"),
    [
        pytest.param("", sorted([*FILES, ".dockerignore"]), id="without-patterns-everything"),
        pytest.param("*\n!app\n", ["app/__pycache__/main.pyc", "app/main.py"], id="everything-but-one-folder"),
        pytest.param("*\n!app\n**/__pycache__\n", ["app/main.py"], id="a-later-pattern-counts-in-every-folder"),
        pytest.param("*\n!fleet\nfleet/*\n!fleet/plan.py\n", ["fleet/plan.py"], id="a-star-hides-what-lies-deeper-too"),
        pytest.param("*\n!fleet/cli\n", ["fleet/cli/entry.py"], id="a-folder-comes-back-from-one-that-is-hidden"),
        pytest.param("# a comment\n\n*\n!/README.md\n", ["README.md"], id="comments-and-leading-slashes-mean-nothing"),
        pytest.param("*\n!README.md \n!*/plan.py\n", ["README.md", "fleet/plan.py"], id="a-wildcard-brings-back"),
        pytest.param("*\n!main.py\n", [], id="a-name-alone-is-in-the-root"),
    ],
)
def test_the_ignore_file_decides_what_the_build_sees(tmp_path: Path, ignored: str, seen: list[str]) -> None:
    """As Docker reads it, not as git would."""
    write(tmp_path, *FILES)
    (tmp_path / ".dockerignore").write_text(ignored)
    assert sorted(seen_files(tmp_path, read_ignore_file(tmp_path, tmp_path / "Dockerfile"))) == seen


@given(
    names=st.lists(
        st.lists(st.sampled_from(["x", "y"]), max_size=2).map(lambda folders: "/".join([*folders, "f.py"])), max_size=6
    ),
    patterns=st.lists(
        st.tuples(
            st.sampled_from(["", "!"]),
            st.lists(st.sampled_from(["x", "y", "f.py", "*", "**", "*.py"]), min_size=1, max_size=3).map("/".join),
        ).map("".join),
        max_size=5,
    ),
)
def test_the_sandboxs_builder_sees_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], patterns: list[str]
) -> None:
    """Two readings of one format, made apart, agree on every list of patterns."""
    context = write(tmp_path_factory.mktemp("context"), *names)
    text = "\n".join(patterns)
    (context / ".dockerignore").write_text(text)
    ours = sorted(seen_files(context, read_ignore_file(context, context / "Dockerfile")))
    assert ours == sorted(name for name, _ in files_in(context, parse_ignore_file(text)))


def _edit(context: Path) -> None:
    (context / "app/main.py").write_text("other")


def _rename(context: Path) -> None:
    (context / "app/main.py").rename(context / "app/first.py")


def _make_executable(context: Path) -> None:
    (context / "app/main.py").chmod(0o755)


def _add_link(context: Path) -> None:
    (context / "app/link").symlink_to("main.py")


def _edit_dockerfile(context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch")


def _edit_hidden(context: Path) -> None:
    (context / "README.md").write_text("other")


def _touch(context: Path) -> None:
    (context / "app/main.py").touch()


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        pytest.param(_edit, True, id="another-content"),
        pytest.param(_rename, True, id="another-name"),
        pytest.param(_make_executable, True, id="another-mode"),
        pytest.param(_add_link, True, id="a-link"),
        pytest.param(_edit_dockerfile, True, id="a-dockerfile-that-the-ignore-file-hides"),
        pytest.param(_edit_hidden, False, id="not-a-file-that-is-hidden"),
        pytest.param(_touch, False, id="not-a-new-time"),
    ],
)
def test_the_tag_moves_with_what_the_build_sees(tmp_path: Path, change: Callable[[Path], None], moves: bool) -> None:
    """And with nothing else."""
    context = write(tmp_path, *FILES)
    (context / ".dockerignore").write_text("*\n!app\n")
    before = content_tag(context, context / "Dockerfile", ["web"])
    change(context)
    assert (content_tag(context, context / "Dockerfile", ["web"]) != before) is moves


def test_inputs_of_the_build_are_told_apart() -> None:
    """Also where one ends and the next begins."""
    tags = {content_tag(ROOT, ROOT / "app/Dockerfile", inputs) for inputs in (["web", "base"], ["webbase"], ["web"])}
    assert len(tags) == 3


def test_a_file_of_the_dockerfiles_own_takes_the_place_of_the_contexts(tmp_path: Path) -> None:
    """`<Dockerfile>.dockerignore` wins where there is one."""
    write(tmp_path, *FILES)
    (tmp_path / ".dockerignore").write_text("*\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("*\n!README.md\n")
    assert list(seen_files(tmp_path, read_ignore_file(tmp_path, tmp_path / "Dockerfile"))) == ["README.md"]
