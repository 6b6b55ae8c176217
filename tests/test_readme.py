"""The pages are true: their commands run and print what is quoted, the files they name exist, and no link is broken."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from seq2see.config import Config, option_choices, option_names

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DESIGN = ROOT / "docs" / "design.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SHORT = " --set training.max_updates=2 training.evaluate_every=1 model.width=16 training.precision=float32"
SHORT_SETTINGS = '"training.max_updates": 2, "training.evaluate_every": 1, "model.width": 16'
NOT_RUN = ("pip ", "python -m venv", "python3 -m venv", "source ", "git clone", "cd ", "scripts/", "#")
"""Lines that set up a machine, or run all tests again."""
FENCE = re.compile(r"^<!-- (?P<mark>\w+) -->\n+```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block that follows a mark such as <!-- runs -->."""

    language: str
    body: str


def blocks(text: str, mark: str) -> list[Block]:
    return [Block(found["language"], found["body"]) for found in FENCE.finditer(text) if found["mark"] == mark]


# --- commands -------------------------------------------------------------------------------------------------------


def commands(body: str) -> Iterator[str]:
    """The lines of a fence without prompts; lines that end in a backslash are joined with the next."""
    for line in body.replace("\\\n", " ").splitlines():
        command = line.strip().removeprefix("$ ")
        if command and not command.startswith(NOT_RUN):
            yield command


def shortened(command: str) -> str | None:
    """The command with two updates per training; None for the demo, whose length is fixed."""
    if command.startswith("seq2see demo"):
        return None
    if command.startswith("seq2see train"):
        bare, hash_, comment = command.partition("  #")
        return bare.rstrip() + (SHORT.replace(" --set", "") if "--set" in bare else SHORT) + hash_ + comment
    return command


def shortened_python(code: str) -> str:
    """The code with two updates per training: the last value of a key in `settings` counts."""

    def shorten(call: re.Match[str]) -> str:
        inside = call[1].rstrip().rstrip(",")
        if "settings={" in inside:
            return re.sub(r"settings=\{(.*?)\}", rf"settings={{\1, {SHORT_SETTINGS}}}", call[0], flags=re.DOTALL)
        return f"seq2see.train({inside}, settings={{{SHORT_SETTINGS}}})"

    return re.sub(r"seq2see\.train\((.*?)\)(?=\n|$)", shorten, code, flags=re.DOTALL)


def script(text: str, *, short: bool) -> str:
    """All blocks to run as one shell script that stops at the first failure."""
    lines = ["set -euo pipefail"]
    for number, block in enumerate(blocks(text, "runs")):
        if block.language == "python":
            code = shortened_python(block.body) if short else block.body
            lines += [f"python - <<'END{number}'", code.rstrip("\n"), f"END{number}"]
            continue
        for command in commands(block.body):
            chosen = shortened(command) if short else command
            if chosen:
                lines += [f"echo {shlex.quote('+ ' + chosen)} >&2", chosen]
    return "\n".join(lines) + "\n"


def pages_that_run() -> list[Path]:
    """README first: the other pages use the runs that it makes."""
    marked = [page for page in PAGES if page != README and blocks(page.read_text(encoding="utf-8"), "runs")]
    return [README, *marked]


def run_pages(pages: list[Path], folder: Path, *, short: bool) -> str:
    """Run the blocks of all pages in one folder; what they print, on standard output and error."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    if short:
        for path in [*folder.glob("examples/*.tsv"), *folder.glob("examples/*.txt")]:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(lines[:200]), encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    ran = subprocess.run(
        ["bash"],
        input=script(text, short=short),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=3600,
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
    return ran.stdout


def test_the_commands_of_the_pages_run(tmp_path: Path) -> None:
    run_pages(pages_that_run(), tmp_path, short=True)


@pytest.mark.slow
def test_the_commands_of_the_pages_run_and_print_what_is_quoted(tmp_path: Path) -> None:
    """Quoted lines (fences marked `text`) are compared by their wording: numbers depend on the machine."""
    printed = {wording(line) for line in run_pages(pages_that_run(), tmp_path, short=False).splitlines()}
    missing = [line for page in pages_that_run() for line in quoted(page) if wording(line) not in printed]
    assert not missing


def quoted(page: Path) -> list[str]:
    """The lines of the outputs that a page quotes, "…" and blank lines left out."""
    found = re.findall(r"^```text\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for body in found for line in body.splitlines() if line.strip() not in ("", "…")]


def wording(line: str) -> str:
    """A line without what changes from machine to machine: numbers, spacing, the number format."""
    return re.sub(r"[\d.,%\s-]+", " ", re.sub(r"float32|bfloat16|\(best so far\)", "", line)).strip()


def test_quoted_lines_are_compared_by_their_wording() -> None:
    line = "update    219 (  6%, 33 s)  dev exact match 80.73 %, loss 0.1130 (best so far)"
    assert wording(line) == wording("update  1,219 ( 16%, 3 s)  dev exact match 9.5 %, loss 2.1130")
    assert wording(line) != wording(line.replace("exact match", "loss"))
    assert any("seq2see predict" in line for line in quoted(README))


def test_the_pages_quote_what_the_command_prints() -> None:
    """The fences marked <!-- prints -->: `scripts/make_quotes` renews them."""
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_quotes", "--check"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_an_outdated_quote_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- prints -->\n```console\n$ echo two\none\n```\n")
    command = [sys.executable, ROOT / "scripts" / "make_quotes"]
    found = subprocess.run([*command, "--check", page], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "+two" in found.stdout
    subprocess.run([*command, page], check=True)
    assert page.read_text() == "<!-- prints -->\n```console\n$ echo two\ntwo\n```\n"


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


def test_a_failing_command_is_noticed(tmp_path: Path) -> None:
    broken = tmp_path / "BROKEN.md"
    broken.write_text("<!-- runs -->\n```bash\nls nowhere\ntrue\n```\n")
    with pytest.raises(AssertionError, match="nowhere"):
        run_pages([broken], tmp_path / "work", short=True)


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


# --- the tree -------------------------------------------------------------------------------------------------------


def named_in_tree(body: str) -> list[Path]:
    """The files and folders of an annotated tree: the first word of each line, nested by indentation."""
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


def tree_of_the_design() -> list[Path]:
    (tree,) = blocks(DESIGN.read_text(encoding="utf-8"), "tree")
    return named_in_tree(tree.body)


def test_every_file_in_the_tree_exists() -> None:
    missing = [str(path) for path in tree_of_the_design() if not (ROOT / path).exists()]
    assert not missing


def test_the_tree_has_every_module_and_package() -> None:
    package = ROOT / "src" / "seq2see"
    folders = [path.parent for path in package.glob("*/__init__.py")]
    modules = [path for path in package.glob("*.py") if not path.stem.startswith("__")]
    expected = {path.relative_to(ROOT) for path in [*folders, *modules]}
    assert not expected - set(tree_of_the_design())


def test_the_layers_of_the_design_are_those_that_are_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["name"] == "Imports only go down"]
    (block,) = blocks(DESIGN.read_text(encoding="utf-8"), "layers")
    described = [re.split(r"\s{2,}", line.strip())[0] for line in block.body.splitlines()]
    assert described == layers


# --- settings -------------------------------------------------------------------------------------------------------


def test_the_settings_page_has_every_key_and_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    keys = [key for row in rows for key in re.findall(r"`([\w.]+)`", row)]
    assert sorted(keys) == sorted(option_names(Config))


def test_the_settings_page_has_every_choice() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for key in option_names(Config):
        (row,) = [row for row in rows if f"`{key}`" in row.split("|")[1]]
        missing = [choice for choice in option_choices(key) if f"{choice}`" not in row]
        assert not missing, key


def test_a_tree_is_read_by_its_indentation() -> None:
    tree = "src/seq2see/       all\n  text/  tokens\n    codec.py  to ids\n  cli.py thin\nLICENSE  the law\ndocs/\n"
    assert [str(path) for path in named_in_tree(tree)] == [
        "src/seq2see", "src/seq2see/text", "src/seq2see/text/codec.py", "src/seq2see/cli.py", "docs",
    ]  # fmt: skip


# --- links ----------------------------------------------------------------------------------------------------------


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


def test_files_named_in_code_marks_exist() -> None:
    """Pages name files as `docs/design.md`; CHANGELOG.md is history, and docs/mistakes.md is generated."""
    missing = []
    for page in [page for page in PAGES if page.name not in ("CHANGELOG.md", "mistakes.md")]:
        for name in re.findall(r"`((?:docs|examples|scripts|src|tests|benchmarks)/[\w./-]*)`", page.read_text()):
            if not (ROOT / name).exists():
                missing.append(f"{page.name}: {name}")
    assert not missing
