"""What README.md says is so: its commands run, its files are there, and the links of all pages lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SHORT = " --set training.max_updates=2 training.evaluate_every=1 model.width=16 training.precision=float32"
SHORT_SETTINGS = '"training.max_updates": 2, "training.evaluate_every": 1, "model.width": 16'
NOT_RUN = ("pip ", "python -m venv", "python3 -m venv", "source ", "git clone", "cd ", "scripts/", "#")
"""Lines that set a machine up, or that test all of Seq2See again."""
FENCE = re.compile(r"^<!-- (?P<mark>\w+) -->\n+```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fence of the README that is to be tried."""

    language: str
    body: str


def blocks(text: str, mark: str) -> list[Block]:
    return [Block(found["language"], found["body"]) for found in FENCE.finditer(text) if found["mark"] == mark]


# --- commands -------------------------------------------------------------------------------------------------------


def commands(body: str) -> Iterator[str]:
    """The lines of a fence, those continued by a backslash made one; a prompt before them is left out."""
    for line in body.replace("\\\n", " ").splitlines():
        command = line.strip().removeprefix("$ ")
        if command and not command.startswith(NOT_RUN):
            yield command


def shortened(command: str) -> str | None:
    """The same in two updates; None for the demo, which can't be shortened from outside."""
    if command.startswith("seq2see demo"):
        return None
    if command.startswith("seq2see train"):
        bare, hash_, comment = command.partition("  #")
        return bare.rstrip() + (SHORT.replace(" --set", "") if "--set" in bare else SHORT) + hash_ + comment
    return command


def shortened_python(code: str) -> str:
    """The same with two updates a training; what comes last in a table of settings counts."""

    def shorten(call: re.Match[str]) -> str:
        inside = call[1].rstrip().rstrip(",")
        if "settings={" in inside:
            return re.sub(r"settings=\{(.*?)\}", rf"settings={{\1, {SHORT_SETTINGS}}}", call[0], flags=re.DOTALL)
        return f"seq2see.train({inside}, settings={{{SHORT_SETTINGS}}})"

    return re.sub(r"seq2see\.train\((.*?)\)(?=\n|$)", shorten, code, flags=re.DOTALL)


def script(text: str, *, short: bool) -> str:
    """All of it as one shell script that stops at the first failure."""
    lines = ["set -euo pipefail"]
    for number, block in enumerate(blocks(text, "runs")):
        if block.language == "python":
            code = shortened_python(block.body) if short else block.body
            lines += [f"python - <<'END{number}'", code.rstrip("\n"), f"END{number}"]
            continue
        for command in commands(block.body):
            chosen = shortened(command) if short else command
            if chosen:
                lines += [f"echo {'+ ' + chosen!r} >&2", chosen]
    return "\n".join(lines) + "\n"


def run_readme(folder: Path, *, short: bool) -> None:
    shutil.copytree(ROOT / "examples", folder / "examples")
    if short:
        for path in [*folder.glob("examples/*.tsv"), *folder.glob("examples/*.txt")]:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(lines[:200]), encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        ["bash"],
        input=script(README.read_text(encoding="utf-8"), short=short),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]


def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    run_readme(tmp_path, short=True)


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_they_stand(tmp_path: Path) -> None:
    run_readme(tmp_path, short=False)


def test_the_readme_has_commands_to_run() -> None:
    found = blocks(README.read_text(encoding="utf-8"), "runs")
    assert any("seq2see " in block.body for block in found if block.language == "bash")
    assert any("import seq2see" in block.body for block in found if block.language == "python")


def test_fences_are_found_and_shortened() -> None:
    text = (
        "# A\n<!-- runs -->\n```bash\n$ pip install x\nseq2see demo\n"
        "seq2see train a.tsv \\\n  --model plain  # why\n```\n"
        "```bash\nfalse\n```\n"
        '<!-- runs -->\n\n```python\nimport seq2see\nmodel = seq2see.train(\n    "a.tsv", out="r"\n)\n```\n'
        "<!-- runs -->\n```bash\nseq2see train b.toml --set model.width=8\nseq2see predict r x\n```\n"
    )
    made = script(text, short=True)
    assert "pip install" not in made
    assert "demo" not in made
    assert "false" not in made
    assert f"seq2see train a.tsv    --model plain{SHORT}  # why\n" in made
    assert f"seq2see train b.toml --set model.width=8{SHORT.removeprefix(' --set')}\n" in made
    assert f'seq2see.train(\n    "a.tsv", out="r", settings={{{SHORT_SETTINGS}}})' in made
    assert "\nseq2see predict r x\n" in made
    whole = script(text, short=False)
    assert "\nseq2see demo\n" in whole
    assert SHORT not in whole


def test_settings_that_are_there_are_added_to() -> None:
    code = 'model = seq2see.train([("a", "b")], settings={"model.width": 8}, out="r")\nmodel.predict("x")\n'
    settings = f'settings={{"model.width": 8, {SHORT_SETTINGS}}}'
    assert shortened_python(code) == code.replace('settings={"model.width": 8}', settings)


def test_a_failing_command_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "BROKEN.md"
    broken.write_text("<!-- runs -->\n```bash\nls nowhere\ntrue\n```\n")
    monkeypatch.setattr(sys.modules[__name__], "README", broken)
    with pytest.raises(AssertionError, match="nowhere"):
        run_readme(tmp_path / "work", short=True)


# --- the tree -------------------------------------------------------------------------------------------------------


def named_in_tree(body: str) -> list[Path]:
    """The files and folders of an annotated tree: the first word of a line, what is indented lying within."""
    found: list[Path] = []
    above: list[tuple[int, Path]] = []
    for line in body.splitlines():
        name = line.split()[0] if line.strip() else ""
        if not re.fullmatch(r"[\w./-]+(/|\.\w+)", name):
            continue
        indent = len(line) - len(line.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        path = (above[-1][1] if above else Path()) / name
        if name.endswith("/"):
            above.append((indent, path))
        found.append(path)
    return found


def test_every_file_in_the_readmes_tree_is_there() -> None:
    trees = blocks(README.read_text(encoding="utf-8"), "tree")
    named = [path for block in trees for path in named_in_tree(block.body)]
    assert len(named) >= 5, "README.md has no tree: a fence after <!-- tree -->"
    missing = [str(path) for path in named if not (ROOT / path).exists()]
    assert not missing


def test_a_tree_is_read_by_its_indentation() -> None:
    tree = "src/seq2see/       all\n  text/  tokens\n    codec.py  to ids\n  cli.py thin\nLICENSE  the law\ndocs/\n"
    assert [str(path) for path in named_in_tree(tree)] == [
        "src/seq2see", "src/seq2see/text", "src/seq2see/text/codec.py", "src/seq2see/cli.py", "docs",
    ]  # fmt: skip


# --- links ----------------------------------------------------------------------------------------------------------

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def links(text: str) -> list[str]:
    """What Markdown links and pictures point at, code left out."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    return re.findall(r"\]\(\s*<?([^)>\s]+)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)


def headings(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^#+ +(.*?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_local_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in headings(target.read_text(encoding="utf-8"))
        ):
            broken.append(link)
    assert not broken


def test_links_are_found() -> None:
    text = '[a](docs/a.md#b-c) ![p](p.png) `[no](no.md)` <img src="i.svg">\n```\n[no](no.md)\n```\n'
    assert links(text) == ["docs/a.md#b-c", "p.png", "i.svg"]
    assert headings("# B, C: d\n## 2. E-f `g`") == {"b-c-d", "2-e-f-g"}


def test_pages_named_in_code_marks_are_there_too() -> None:
    """README and CONTRIBUTING point at files as `docs/design.md`."""
    missing = []
    for page in (README, ROOT / "CONTRIBUTING.md"):
        for name in re.findall(r"`((?:docs|examples|scripts|src|tests|benchmarks)/[\w./-]*)`", page.read_text()):
            if not (ROOT / name).exists():
                missing.append(f"{page.name}: {name}")
    assert not missing
