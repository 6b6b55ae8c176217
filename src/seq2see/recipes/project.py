"""A started project: a recipe, made-up pairs to try it with, a README with the commands, and a notebook."""

from __future__ import annotations

import json
import random
from pathlib import Path

from seq2see.errors import ConfigError
from seq2see.printable import quoted
from seq2see.recipes.catalog import RECIPES
from seq2see.recipes.made_up import Row, made_up, picture_of
from seq2see.system_errors import reported

TRAIN, DEV, TEST = 240, 30, 30
"""Lines of the made-up files: enough to see everything work, and soon."""

WHAT: dict[str, str] = {
    "translation": "Sentences and their translations. Each line of the files: source, TAB, translation.",
    "summary": "Texts and their summaries. Each line of the files: text, TAB, summary; a text has no line breaks.",
    "questions": "Questions about stories. Each line of the files: story, TAB, question, TAB, answer.",
    "chat": "Conversations. Each line of the files: what was said before (may be empty, ' ¶ ' between turns), TAB, "
    "the message, TAB, the reply.",
    "captions": "Pictures and what they show. Each line of the files: name of a picture, TAB, tokens with blanks "
    "between them.",
    "pronunciation": "Words and how they are pronounced. Each line of the files: word, TAB, phones with blanks between "
    "them. A word may have several lines.",
    "inflection": "Inflected forms. Each line of the files: lemma, TAB, tags separated by semicolons, TAB, form.",
    "normalization": "Words in an old spelling and in today's. Each line of the files: old, TAB, new.",
    "transliteration": "Names in two scripts. Each line of the files: name, TAB, the same in the other script.",
}
"""What a project of each kind is about."""
OPTIONS = {
    "translation": " --beam 5",
    "summary": " --beam 5",
}
"""What `predict` is best given, where that is more than nothing."""


def new_project(kind: str, folder: Path) -> list[Path]:
    """Write the project, and return its files. ConfigError for a folder that has something in it already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "must be a new or an empty folder" + ("" if folder.is_dir() else ", not a file")
        raise ConfigError(what, where=str(folder), fix="name another folder")
    files = files_of(kind)
    with reported(folder, "written", ConfigError):
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return [folder / name for name in files]


def files_of(kind: str) -> dict[str, bytes]:
    """The content of each file of a project."""
    rows = made_up(kind, TRAIN + DEV + TEST, seed=1)
    ends = {"train": rows[:TRAIN], "dev": rows[TRAIN : TRAIN + DEV], "test": rows[TRAIN + DEV :]}
    test = ends["test"][0]
    texts = {
        f"{kind}.toml": with_files(RECIPES[kind].read_text(encoding="utf-8")),
        **{f"{name}.tsv": "".join(map(line_of, own)) for name, own in ends.items()},
        "README.md": readme_of(kind, test),
        "project.ipynb": json.dumps(notebook_of(kind), ensure_ascii=False, indent=1) + "\n",
    }
    files = {name: text.encode() for name, text in texts.items()}
    if kind == "captions":
        rng = random.Random(1)
        files |= {source: picture_of(target, rng) for source, target in rows}
    return files


def line_of(row: Row) -> str:
    """The line of a table."""
    return "\t".join(row) + "\n"


def with_files(recipe: str) -> str:
    """The recipe with the files of the project as its data."""
    first, _, rest = recipe.partition("\n")
    about = first.partition(":  ")[0]
    data = """[data]
train = "train.tsv"           # your own pairs go here
dev = "dev.tsv"               # and here those that tell how good it is
"""
    rest = rest.removeprefix("[data]\n") if rest.startswith("[data]\n") else f"\n{rest}"
    return f"{about}\n{data}{rest}"


def source_of(row: Row) -> str:
    """The source as a word of a command."""
    fields = row[:-1]
    if len(fields) == 1:
        return quoted(fields[0])
    return "\"$(printf '%s\\t%s' " + " ".join(quoted(cell) if cell else "''" for cell in fields) + ')"'


def readme_of(kind: str, row: Row) -> str:
    """The README, whose commands run as they stand."""
    more = OPTIONS.get(kind, "")
    ask = f"seq2see predict runs/{kind} {source_of(row)}{more}"
    if kind == "chat":
        ask += f"\nprintf 'hi , Anna here\\nhow much are the pears ?\\n' | seq2see chat runs/{kind}"
    columns = " --source 1,2 --target 3" if len(row) == 3 else ""
    needs = ' and "seq2see[pictures]"' if kind == "captions" else ""
    return f"""# {kind.capitalize()}

{WHAT[kind]}

The pairs here are made up: replace `train.tsv`, `dev.tsv` and `test.tsv` by your own. The first are learned from, the
second tell during training how good the model is, the third are only looked at in the end. The recipe, `{kind}.toml`,
has a line for every setting that is not the default.

Needs `pip install "seq2see[train]"`{needs}.

```bash
seq2see check train.tsv --test test.tsv{columns}
seq2see train {kind}.toml
seq2see evaluate runs/{kind} test.tsv
{ask}
seq2see report runs/{kind} --test test.tsv -o report.html
seq2see pack runs/{kind} --weights int8 -o {kind}.seq2see
```

The made-up pairs are too few to be learned well: they show that everything works. `project.ipynb` does the same in a
notebook. What to expect of real data, and what to try if it is not good enough: docs/uses/{kind}.md of Seq2See.
"""


def notebook_of(kind: str) -> dict[str, object]:
    """The notebook: train, answer, evaluate."""
    cells = [
        ("markdown", f"# {kind.capitalize()}\n\n{WHAT[kind]} The pairs are made up: replace them by your own."),
        (
            "code",
            "import tomllib\nfrom pathlib import Path\n\nimport seq2see\n\n"
            f'recipe = tomllib.loads(Path("{kind}.toml").read_text(encoding="utf-8"))\n'
            'options = [(f"{part}.{key}", value) for part, table in recipe.items() for key, value in table.items()]\n'
            "settings = dict(options)\n"
            'files = [settings.pop(f"data.{name}") for name in ("train", "dev")]\n'
            "settings",
        ),
        (
            "code",
            'model = seq2see.train(files[0], dev=files[1], out="runs/notebook", settings=settings, force=True)\nmodel',
        ),
        ("code", 'report = model.evaluate("test.tsv")\nreport'),
        (
            "code",
            'lines = Path("test.tsv").read_text(encoding="utf-8").splitlines()\n'
            'sources = [tuple(line.split("\\t")[:-1]) for line in lines[:5]]\n'
            "asked = [source if len(source) > 1 else source[0] for source in sources]\n"
            "[answer.text for answer in model.predict(asked)]",
        ),
    ]
    return {
        "cells": [
            {
                "cell_type": cell,
                "id": f"cell-{number}",
                "metadata": {},
                "source": text.splitlines(keepends=True),
                **({"execution_count": None, "outputs": []} if cell == "code" else {}),
            }
            for number, (cell, text) in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
