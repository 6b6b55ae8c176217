"""The recipes, and the projects that begin with them: what is written runs as it stands."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

import seq2see
from seq2see import cli
from seq2see.config import Config, make_config, option
from seq2see.errors import ConfigError
from seq2see.recipes import RECIPES, new_project, recipe_values
from seq2see.recipes.kinds import OTHER_NAMES
from seq2see.recipes.made_up import MAKERS, made_up
from seq2see.text.turns import TURN_BREAK

ROOT = Path(__file__).parent.parent.parent
SHORT = ["training.max_updates=2", "training.evaluate_every=1", "model.width=16", "training.precision=float32"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_sets_only_what_is_not_the_default_and_says_how_to_use_it(name: str) -> None:
    values = recipe_values(name)
    config, plain = make_config(values, {}, where=name), Config()
    given = [f"{section}.{key}" for section, table in values.items() for key in table]
    assert given
    assert all(option(config, key) != option(plain, key) for key in given)
    first = RECIPES[name].read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(f"--recipe {name}")


def test_an_unknown_recipe_is_told_with_the_nearest_and_a_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown recipe 'sumary'") as raised:
        recipe_values("sumary")
    assert "did you mean 'summary'?" in raised.value.fix
    (tmp_path / "own.toml").write_text("[model]\nwidth = 8\n")
    assert recipe_values(str(tmp_path / "own.toml")) == {"model": {"width": 8}}


def test_other_names_are_understood() -> None:
    assert recipe_values("g2p") == recipe_values("pronunciation")
    assert set(OTHER_NAMES.values()) <= set(RECIPES) and not set(OTHER_NAMES) & set(RECIPES)


def test_british_spelling_is_understood(tmp_path: Path) -> None:
    assert cli.run(["new", "normalisation", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "normalization.toml").is_file()
    assert recipe_values("normalisation") == recipe_values("normalization")


@pytest.mark.parametrize("kind", MAKERS)
def test_made_up_lines_are_distinct_and_always_the_same(kind: str) -> None:
    rows = made_up(kind, 300, seed=1)
    assert len({row[:-1] for row in rows}) == len(rows) == 300
    assert rows == made_up(kind, 300, seed=1)
    assert rows != made_up(kind, 300, seed=2)
    assert all("\t" not in cell and "\n" not in cell for row in rows for cell in row)
    assert all(row[-1].strip() for row in rows)


def test_made_up_answers_are_right() -> None:
    story, question, answer = made_up("questions", 1, seed=3)[0]
    who = question.split()[2]
    assert [line.split()[-1] for line in story.split(" .") if line.startswith((who, f" {who}"))][-1] == answer
    history, message, reply = next(row for row in made_up("chat", 9, seed=1) if "euros" in row[2])
    assert history.count(TURN_BREAK) == 1
    assert message.split()[-2] in reply


def test_a_project_is_written_into_a_new_or_empty_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    new_project("chat", tmp_path / "empty")
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == [
        *("README.md", "chat.toml", "dev.tsv", "project.ipynb", "test.tsv", "train.tsv"),
    ]
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "README.md").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, what in (("used", "must be a new or an empty folder"), ("file", "not a file")):
        with pytest.raises(ConfigError, match=what):
            new_project("chat", tmp_path / name)
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["README.md"]
    assert (tmp_path / "used" / "README.md").read_text() == "mine"


def commands_of(readme: str) -> Iterator[str]:
    """The lines of the fence of the README."""
    yield from readme.partition("```bash\n")[2].partition("```")[0].splitlines()


@pytest.mark.parametrize("kind", RECIPES)
def test_the_page_of_a_use_has_the_commands_that_are_run(kind: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "uses" / f"{kind}.md").read_text(encoding="utf-8")
    new_project(kind, tmp_path)
    new, enter, *rest = commands_of(page.partition("<!-- project -->\n")[2])
    assert new == f"seq2see new {kind} my-{kind}"
    assert enter == f"cd my-{kind}"
    assert rest == list(commands_of((tmp_path / "README.md").read_text(encoding="utf-8")))
    assert f"--recipe {kind}" in page


def words_of(command: str) -> list[str]:
    """The words of a command, as bash makes them."""
    made = subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, text=True, check=True)
    return made.stdout.split("\0")[:-1]


@pytest.mark.parametrize("kind", RECIPES)
def test_the_commands_of_a_project_run(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, with two updates per training."""
    folder = tmp_path / "project"
    assert cli.run(["new", kind, str(folder)]) == 0
    monkeypatch.chdir(folder)
    ran = []
    for command in commands_of((folder / "README.md").read_text(encoding="utf-8")):
        before, _, last = command.rpartition(" | ")
        stdin = subprocess.run(["bash", "-c", before], capture_output=True, check=True).stdout
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        program, verb, *words = words_of(last)
        assert program == "seq2see"
        capsys.readouterr()
        code = cli.run([verb, *words, *(["--device", "cpu", "--set", *SHORT] if verb == "train" else [])])
        said = capsys.readouterr()
        assert code == 0, f"{command}\n{said.err}"
        if verb == "chat":
            assert said.out.count("\n") == 2
        if verb == "predict":
            assert said.out.count("\n") == 1
        ran.append(verb)
    assert {"check", "train", "evaluate", "predict", "report", "pack"} <= set(ran)
    trained = seq2see.load(folder / "runs" / kind, device="cpu")
    assert trained.source_codec is not None


def test_the_commands_for_back_translation_run_and_select_the_model_on_true_pairs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, with two updates per training."""
    monkeypatch.chdir(tmp_path)
    rows = made_up("translation", 620, seed=1)
    Path("train.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows[:600]), encoding="utf-8")
    Path("sentences.txt").write_text("".join(f"{target}\n" for _, target in rows[600:]), encoding="utf-8")
    page = (ROOT / "docs" / "uses" / "translation.md").read_text(encoding="utf-8")
    block = page[page.index("      seq2see train train.tsv --recipe translation --source 2") :].partition("\n\n")[0]
    for command in map(str.strip, block.splitlines()):
        if not command.startswith("seq2see "):
            subprocess.run(["bash", "-c", command], check=True)
            continue
        _, verb, *words = words_of(command)
        if verb == "train":
            words += [*([] if "--set" in words else ["--set"]), *SHORT, "training.choose_length_penalty=false"]
        code = cli.run([verb, *words])
        assert code == 0, f"{command}\n{capsys.readouterr().err}"
    kinds = {
        name: [line.split("\t")[0] for line in Path(name).read_text().splitlines()] for name in ("dev.tsv", "both.tsv")
    }
    assert kinds["dev.tsv"] == ["true"] * 500
    assert kinds["both.tsv"] == ["true"] * 100 + ["made"] * 20
    assert "dev.tsv" in str(make_config(tomllib.loads(Path("runs/both/config.toml").read_text()), {}).data.dev)


@pytest.mark.parametrize("kind", ["questions", "transliteration"])
def test_the_code_of_a_project_s_notebook_runs(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_project(kind, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    cells = json.loads(Path("project.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "code")
    short = dict(each.split("=") for each in SHORT)
    code = code.replace("settings=settings", f"settings=settings | {short!r}, device='cpu', quiet=True")
    found: dict[str, object] = {}
    exec(compile(code, "project.ipynb", "exec"), found)
    assert found["report"]
    assert len(found["asked"]) == 5  # type: ignore[arg-type]


def test_train_takes_a_recipe_by_name_beside_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = made_up("questions", 40, seed=1)
    Path("pairs.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    words = shlex.split("train pairs.tsv --recipe questions --device cpu --set")
    assert cli.run([*words, *SHORT]) == 0
    stored = seq2see.config.make_config(seq2see.config.read_toml(Path("runs/pairs/config.toml")), {})
    assert stored.text.source == ("words", "words")
    assert stored.text.target == "symbols"
    assert stored.data.train == (str(tmp_path / "pairs.tsv"),)
    assert asdict(stored.data)["source"] == ("1", "2")
    assert cli.run(["train", "pairs.tsv", "--resume", "--device", "cpu"]) == 0  # what the run was set to is known


def test_a_recipe_beside_another_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.toml").write_text('[data]\ntrain = "pairs.tsv"\n')
    assert cli.run(["train", str(tmp_path / "own.toml"), "--recipe", "chat"]) == 2
    assert "--recipe: conflicts with" in capsys.readouterr().err
    assert cli.run(["train", str(tmp_path / "pairs.tsv"), "--recipe", "chatt"]) == 2
    assert "did you mean 'chat'?" in capsys.readouterr().err
