"""All types of findings: severity, unit of the count, meaning in one sentence, and remedy.

Their order is that of the report within a severity. `{fix}` stands for the cleaning command, `{read}` for a command
that prints the file, `{mended}` for a file to write, `{first}` for the remedy of the first such line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2see.data.reading import is_json
from seq2see.doctor.report import Severity
from seq2see.printable import quoted


class FindingType(NamedTuple):
    """Severity and texts of one type of finding."""

    severity: Severity
    unit: str
    meaning: str
    remedy: str


_FIX = "{fix}"
_LEAVE_OUT = "{first}, or drop such lines: {fix} (or train with --skip-bad)"

FINDING_TYPES: dict[str, FindingType] = {
    "damaged": FindingType(
        "error",
        "files",
        "The file can't be read to the end.",
        "",
    ),
    "empty": FindingType(
        "error",
        "files",
        "The file contains no text.",
        "",
    ),
    "encoding": FindingType(
        "error",
        "lines",
        "Invalid UTF-8: the file has another encoding, or mixes two.",
        "",
    ),
    "parallel-lengths": FindingType(
        "error",
        "pairs of files",
        "The parallel files have different numbers of lines, so lines don't belong together.",
        "",
    ),
    "nul": FindingType(
        "error",
        "lines",
        "Text contains no NUL: the file is probably UTF-16 or truncated.",
        _LEAVE_OUT,
    ),
    "old-mac-line-ends": FindingType(
        "error",
        "lines",
        "Lines end in a carriage return alone, so that many lines are read as one.",
        "{read} | tr '\\r' '\\n' > {mended}",
    ),
    "columns": FindingType(
        "error",
        "lines",
        "Expected source, TAB, target: there is one column, or more than two.",
        _LEAVE_OUT,
    ),
    "json": FindingType(
        "error",
        "lines",
        "Expected a JSON object with the strings source and target.",
        _LEAVE_OUT,
    ),
    "empty-sides": FindingType(
        "error",
        "lines",
        "The source or the target is empty.",
        _LEAVE_OUT,
    ),
    "blank-lines": FindingType(
        "error",
        "lines",
        "Blank lines between the pairs.",
        _LEAVE_OUT,
    ),
    "nothing-usable": FindingType(
        "error",
        "files",
        "There is no valid line.",
        "correct the lines",
    ),
    "one-source": FindingType(
        "error",
        "files",
        "All pairs have the same source: there is nothing to learn, and no dev set can be split off.",
        "add pairs with other sources",
    ),
    "leaked-pairs": FindingType(
        "warning",
        "pairs",
        "The same pairs occur in two sets, so a score is partly memorisation; in tokens of running text this "
        "is expected.",
        "remove them from one of the sets, and also report the score on unseen sources",
    ),
    "leaked-sources": FindingType(
        "warning",
        "pairs",
        "The same sources occur in two sets with different targets: they were seen in training, with another answer.",
        "keep all pairs of a source in one set",
    ),
    "header": FindingType(
        "warning",
        "lines",
        "The first line looks like a header, not like a pair.",
        "{read} | tail -n +2 > {mended}",
    ),
    "byte-order-mark-inside": FindingType(
        "warning",
        "texts",
        "U+FEFF inside a text is an invisible symbol of its own, usually left from concatenated files.",
        _FIX,
    ),
    "mojibake": FindingType(
        "warning",
        "texts",
        "UTF-8 that was decoded as Latin-1 or Windows-1252, such as Ã¼ for ü.",
        "convert the original again; without it, the package ftfy can undo it (check what it changes)",
    ),
    "replacement": FindingType(
        "warning",
        "texts",
        "U+FFFD replaces a character that was lost in decoding.",
        "convert the original again, or drop these lines",
    ),
    "html": FindingType(
        "warning",
        "texts",
        "HTML entities are learnt as they are, character by character.",
        "{read} | python -c 'import html, sys; print(html.unescape(sys.stdin.read()), end=\"\")' > {mended}",
    ),
    "control": FindingType(
        "warning",
        "texts",
        "Control characters are invisible, and no one types them.",
        _FIX,
    ),
    "invisible": FindingType(
        "warning",
        "texts",
        "Invisible characters without meaning in their context make equal words different.",
        _FIX,
    ),
    "unusual-spaces": FindingType(
        "warning",
        "texts",
        "Spaces that look like a blank but are another symbol.",
        _FIX,
    ),
    "space-around": FindingType(
        "warning",
        "texts",
        "White space at the ends of a text is learnt and must be generated.",
        _FIX,
    ),
    "doubled-blanks": FindingType(
        "warning",
        "texts",
        "Runs of blanks are learnt and must be generated.",
        _FIX,
    ),
    "mixed-script-words": FindingType(
        "warning",
        "texts",
        "Words with a look-alike letter from another script: equal words become different.",
        "write each word in one script",
    ),
    "duplicates": FindingType(
        "warning",
        "pairs",
        "A repeated pair counts twice; in tokens of running text this is its frequency, and intended.",
        "{fix} (drops repeated pairs; --keep-duplicates keeps them)",
    ),
    "contradictions": FindingType(
        "warning",
        "sources",
        "The same source has several targets, of which a model predicts one. Several translations or"
        " pronunciations are legitimate, errors are not.",
        "check some; if they are intended, evaluate with all targets of a source as references",
    ),
    "unseen-symbols": FindingType(
        "warning",
        "symbols",
        "These symbols do not occur in training, so texts with them can't be read or generated correctly.",
        "add training pairs with them, or write them as in training",
    ),
    "windows-line-ends": FindingType(
        "note",
        "lines",
        "Lines end in CR LF, which is read correctly.",
        _FIX,
    ),
    "byte-order-mark-at-start": FindingType(
        "note",
        "files",
        "The file begins with a byte order mark, which is skipped.",
        _FIX,
    ),
    "not-nfc": FindingType(
        "note",
        "texts",
        "Not in Unicode NFC; training normalises them, so predictions are in NFC, and references should be too.",
        _FIX,
    ),
    "moses-escapes": FindingType(
        "note",
        "texts",
        "Escapes of the Moses tokenizer: correct if its detokenizer is applied to the output.",
        "nothing, if the text is tokenised; otherwise as for HTML",
    ),
    "direction-marks": FindingType(
        "note",
        "texts",
        "Direction marks in right-to-left text: they may be intended, and are symbols to learn.",
        "remove them if they are not intended",
    ),
    "digits": FindingType(
        "note",
        "characters",
        "Digits of several scripts on one side: each digit is learnt once per script.",
        "use one variant",
    ),
    "full-width": FindingType(
        "note",
        "characters",
        "Full-width and ordinary letters or digits on one side: each is learnt twice.",
        "use one variant",
    ),
    "quotes": FindingType(
        "note",
        "characters",
        "Quotation marks or apostrophes in several variants on one side.",
        "use one variant, unless the difference has a meaning",
    ),
    "hyphens": FindingType(
        "note",
        "characters",
        "Hyphens in several variants on one side, which look alike.",
        "use one variant, unless the difference has a meaning",
    ),
    "scripts": FindingType(
        "note",
        "texts",
        "Most letters are in another script than those of the side: another language, or names.",
        "check some",
    ),
    "copies": FindingType(
        "note",
        "pairs",
        "Source and target are equal: fine if most texts stay unchanged; in translation, an untranslated line.",
        "check some",
    ),
    "long-texts": FindingType(
        "note",
        "texts",
        "Outliers in length: they slow down training, and are often several lines in one.",
        "check some; split or drop what is not a single pair",
    ),
    "odd-ratios": FindingType(
        "note",
        "pairs",
        "Outliers in the ratio of lengths: often lines that don't belong together.",
        "check some",
    ),
    "rare-symbols": FindingType(
        "note",
        "symbols",
        "They occur only once or twice in training: too rare to learn.",
        "correct them if they are errors; otherwise nothing",
    ),
}


def remedy(name: str, paths: Sequence[Path], first: str = "") -> str:
    """The remedy for a finding in these files. No command writes to a file that it reads.

    `first` is the fix that reading reports for the first such line.
    """
    if name == "html" and is_json(paths[0]):
        return "unescape the entities in the strings before writing JSON"
    files = " ".join(map(quoted, paths))
    stem = paths[0].name.partition(".")[0]
    clean = f"{stem}-clean.tsv" if any(path.name == "clean.tsv" for path in paths) else "clean.tsv"
    reader = "gzip -dc" if paths[0].suffix == ".gz" else "cat"
    words = {
        "first": first or "correct them",
        "fix": f"seq2see check {files} --fix -o {quoted(clean)}",
        "read": f"{reader} {quoted(paths[0])}",
        "mended": quoted(f"{stem}-mended.tsv"),
    }
    text = FINDING_TYPES[name].remedy or "{first}"
    both = "; do the same for the other file" if len(paths) > 1 and "{read}" in text else ""
    return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], text) + both
