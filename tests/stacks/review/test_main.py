"""`python -m stacks.review`: the comment of all stacks, and the exit code that a workflow goes by."""

import json
from pathlib import Path

import pytest

from stacks.review.__main__ import DESCRIPTION_VARIABLE, STACKS_VARIABLE, main
from stacks.review.model import Preview, read_preview, write_preview
from tests.stacks.review.samples import VPC, preview, step

REPLACED = preview("prod", steps=(step("replace", VPC, "vpc"),))
REASON = "gate-override: replace-stateful nothing runs there yet"


@pytest.fixture(autouse=True)
def no_description(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DESCRIPTION_VARIABLE, raising=False)
    monkeypatch.delenv(STACKS_VARIABLE, raising=False)


def kept(folder: Path, *previews: Preview) -> list[str]:
    """The files of some previews."""
    for item in previews:
        write_preview(item, folder / item.stack / "preview.json")
    return [str(folder / item.stack / "preview.json") for item in previews]


def test_a_preview_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Also what is nested in it."""
    kept(tmp_path, REPLACED)
    assert read_preview(tmp_path / "prod" / "preview.json") == REPLACED


@pytest.mark.parametrize(
    ("previews", "code"),
    [
        pytest.param([preview("dev"), preview("prod")], 0, id="all-pass"),
        pytest.param([preview("dev"), REPLACED], 1, id="one-gate-fails"),
        pytest.param([preview("dev", errors=("wrong",)), REPLACED], 2, id="not-to-be-judged"),
    ],
)
def test_the_exit_code_is_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], previews: list[Preview], code: int
) -> None:
    """The comment is written in any case, because that is where the reason stands."""
    out = tmp_path / "comment.md"
    assert main([*kept(tmp_path, *previews), "--out", str(out)]) == code
    assert out.read_text().startswith("**Review: ")
    assert capsys.readouterr().err.startswith("Review: ")


def test_a_stack_without_a_preview_cannot_be_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a job that died before it left a file would pass every gate."""
    files, out = kept(tmp_path, preview("dev"), preview("prod")), tmp_path / "comment.md"
    monkeypatch.setenv(STACKS_VARIABLE, '["dev", "prod"]')
    assert main([*files, "--out", str(out)]) == 0
    monkeypatch.setenv(STACKS_VARIABLE, '["dev", "prod", "staging"]')
    assert main([*files, "--out", str(out)]) == 2
    text = out.read_text()
    assert text.startswith("**Review: cannot be judged.** staging cannot be previewed")
    assert "its preview left nothing to judge" in text


def test_a_list_of_stacks_that_is_none_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(STACKS_VARIABLE, "dev prod")
    assert main(kept(tmp_path, preview("dev"))) == 2
    assert "FLEET_STACKS: is 'dev prod'" in capsys.readouterr().err.replace("$", "")


def test_a_reason_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is what was asked for, so it comes first."""
    files, out = kept(tmp_path, REPLACED), str(tmp_path / "comment.md")
    (tmp_path / "description.md").write_text(f"Words.\r\n{REASON}\r\n")
    assert main([*files, "--out", out, "--description", str(tmp_path / "description.md")]) == 0
    monkeypatch.setenv(DESCRIPTION_VARIABLE, REASON)
    assert main([*files, "--out", out]) == 0
    (tmp_path / "description.md").write_text("Words.")
    assert main([*files, "--out", out, "--description", str(tmp_path / "description.md")]) == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut-off"),
        pytest.param("[]", id="another-document"),
        pytest.param('{"stack": "prod"}', id="without-its-fields"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), id="no-text"),
    ],
)
def test_a_bad_file_is_a_message_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Whatever stands in it."""
    (tmp_path / "preview.json").write_text(text)
    assert main([str(tmp_path / "preview.json")]) == 2
    said = capsys.readouterr().err
    assert "is no preview" in said
    assert "Traceback" not in said


def test_another_format_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of a later version is not judged by halves."""
    (file,) = kept(tmp_path, preview())
    document = json.loads(Path(file).read_text())
    Path(file).write_text(json.dumps({**document, "format": 99}))
    assert main([file]) == 2
    assert "has format 99" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["{file}", "{file}"], id="one-stack-twice"),
        pytest.param(["{folder}/none.json"], id="a-file-that-is-missing"),
        pytest.param(["{folder}"], id="a-folder"),
        pytest.param(["{file}", "--description", "{folder}/none.md"], id="no-description"),
        pytest.param(["{file}", "--out", "{file}/x/comment.md"], id="nowhere-to-write"),
    ],
)
def test_what_cannot_be_judged_is_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """In a message."""
    (file,) = kept(tmp_path, preview())
    assert main([word.format(file=file, folder=tmp_path) for word in words]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["x", "--cost-rise", "much"], ["x", "--cost-rise", "-1"]], ids=["no-file", "no-number", "negative"]
)
def test_wrong_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As of any command."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: python -m stacks.review" in capsys.readouterr().err
