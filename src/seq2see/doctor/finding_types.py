"""Every finding there is: how serious, what is counted, what it means in one sentence, and what mends it.

The order is the order of the report within one severity. `{fix}` stands for the command that mends,
`{read}` for one that reads the files, `{mended}` for a file to write.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2see.data.reading import is_json
from seq2see.doctor.report import Severity


class FindingType(NamedTuple):
    """What is said of one kind of finding."""

    severity: Severity
    unit: str
    meaning: str
    remedy: str


_FIX = "{fix}"
_LEAVE_OUT = "{first}, or leave such lines out: {fix} (or train with --skip-bad)"

FINDING_TYPES: dict[str, FindingType] = {
    "damaged": FindingType(
        "error",
        "files",
        "The file can't be read to its end.",
        "",
    ),
    "empty": FindingType(
        "error",
        "files",
        "There is no text in the file.",
        "",
    ),
    "encoding": FindingType(
        "error",
        "lines",
        "Bytes that are no UTF-8: the file has another encoding, or two.",
        "",
    ),
    "parallel-lengths": FindingType(
        "error",
        "pairs of files",
        "The parallel files differ in length, so lines don't belong together.",
        "",
    ),
    "nul": FindingType(
        "error",
        "lines",
        "A NUL is in no text; often the file is UTF-16 or was cut.",
        _LEAVE_OUT,
    ),
    "old-mac-line-ends": FindingType(
        "error",
        "lines",
        "Carriage returns alone part the lines, so many lines count as one.",
        "{read} | tr '\\r' '\\n' > {mended}",
    ),
    "columns": FindingType(
        "error",
        "lines",
        "Not source, TAB, target: one column, or more than two.",
        _LEAVE_OUT,
    ),
    "json": FindingType(
        "error",
        "lines",
        "No object with the strings source and target.",
        _LEAVE_OUT,
    ),
    "empty-sides": FindingType(
        "error",
        "lines",
        "A source or a target is missing.",
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
        "No line can be used.",
        "put the lines right",
    ),
    "one-source": FindingType(
        "error",
        "files",
        "All pairs have the same source: there is nothing to learn, and no dev set can be set aside.",
        "give pairs with different sources",
    ),
    "leaked-pairs": FindingType(
        "warning",
        "pairs",
        "Pairs of one set are in another too, so a score there is partly memory; running text of words has "
        "them by design.",
        "take them out of one of the two, and report the score on unseen sources too",
    ),
    "leaked-sources": FindingType(
        "warning",
        "pairs",
        "Sources of one set are in another with a different target: they were seen in training, and the known"
        " answer is another.",
        "keep all pairs of a source in one set",
    ),
    "header": FindingType(
        "warning",
        "lines",
        "The first line looks like names of columns, not like a pair.",
        "{read} | tail -n +2 > {mended}",
    ),
    "byte-order-mark-inside": FindingType(
        "warning",
        "texts",
        "U+FEFF inside the text, an invisible symbol of its own: files were joined that each began with one.",
        _FIX,
    ),
    "mojibake": FindingType(
        "warning",
        "texts",
        "UTF-8 that was once read as Latin-1 or Windows-1252, such as Ã¼ for ü.",
        "convert again from the original; where there is none, the package ftfy undoes it (look at what it changes)",
    ),
    "replacement": FindingType(
        "warning",
        "texts",
        "U+FFFD stands where a character was lost in decoding.",
        "convert again from the original, or leave these lines out",
    ),
    "html": FindingType(
        "warning",
        "texts",
        "HTML entities are learnt letter by letter.",
        "{read} | python -c 'import html, sys; print(html.unescape(sys.stdin.read()), end=\"\")' > {mended}",
    ),
    "control": FindingType(
        "warning",
        "texts",
        "Control characters are symbols that nobody sees or types.",
        _FIX,
    ),
    "invisible": FindingType(
        "warning",
        "texts",
        "Invisible characters that mean nothing where they stand make equal words different.",
        _FIX,
    ),
    "unusual-spaces": FindingType(
        "warning",
        "texts",
        "Spaces that look like a blank and are another symbol.",
        _FIX,
    ),
    "space-around": FindingType(
        "warning",
        "texts",
        "White space at the beginning or the end is learnt and has to be answered.",
        _FIX,
    ),
    "doubled-blanks": FindingType(
        "warning",
        "texts",
        "Several blanks in a row are learnt and have to be answered.",
        _FIX,
    ),
    "mixed-script-words": FindingType(
        "warning",
        "texts",
        "Letters of two scripts in one word, of which one passes for the other: equal words become different.",
        "write each word in one script",
    ),
    "duplicates": FindingType(
        "warning",
        "pairs",
        "The same pair again counts twice; in running text of words that is its frequency, and meant.",
        "{fix} (leaves out the repeated ones; --keep-duplicates doesn't)",
    ),
    "contradictions": FindingType(
        "warning",
        "sources",
        "One source, several targets: at most one can be answered. Several translations or pronunciations are"
        " legitimate, slips are not.",
        "look at some; evaluate against all targets of a source where they are meant",
    ),
    "unseen-symbols": FindingType(
        "warning",
        "symbols",
        "In this set and never in training: what has them can't be read or answered right.",
        "add training pairs that have them, or write them as training does",
    ),
    "windows-line-ends": FindingType(
        "note",
        "lines",
        "Lines end in CR LF; they are read as they should be.",
        _FIX,
    ),
    "byte-order-mark-at-start": FindingType(
        "note",
        "files",
        "A byte order mark begins the file; it is read past.",
        _FIX,
    ),
    "not-nfc": FindingType(
        "note",
        "texts",
        "Not in Unicode's form NFC; training brings them into it, so answers come in NFC and are to be compared so.",
        _FIX,
    ),
    "moses-escapes": FindingType(
        "note",
        "texts",
        "Entities as Moses' tokenizer writes them: fine if its detokenizer undoes them.",
        "nothing, if the text is tokenized; else as for HTML",
    ),
    "direction-marks": FindingType(
        "note",
        "texts",
        "Marks of direction in text from right to left: they may be meant, and are symbols to learn.",
        "take them out if they aren't meant",
    ),
    "digits": FindingType(
        "note",
        "characters",
        "Digits of several kinds on one side: each digit is learnt once a kind.",
        "write one kind",
    ),
    "full-width": FindingType(
        "note",
        "characters",
        "Full-width and ordinary letters or digits on one side: each is learnt twice.",
        "write one kind",
    ),
    "quotes": FindingType(
        "note",
        "characters",
        "Quotation marks or apostrophes of several kinds on one side.",
        "write one kind if the difference means nothing",
    ),
    "hyphens": FindingType(
        "note",
        "characters",
        "Hyphens of several kinds on one side look alike.",
        "write one kind if the difference means nothing",
    ),
    "scripts": FindingType(
        "note",
        "texts",
        "Most of their letters are of another script than the side's: another language, or names.",
        "look at some",
    ),
    "copies": FindingType(
        "note",
        "pairs",
        "Source and target are the same: right where most is to be kept, in translation a line left untranslated.",
        "look at some",
    ),
    "long-texts": FindingType(
        "note",
        "texts",
        "Far longer than the others: slow to learn from, and often several lines in one.",
        "look at some; cut or leave out what is no single pair",
    ),
    "odd-ratios": FindingType(
        "note",
        "pairs",
        "One side is far longer for the other than usual: often lines that don't belong together.",
        "look at some",
    ),
    "rare-symbols": FindingType(
        "note",
        "symbols",
        "Met once or twice in training: too seldom to learn.",
        "write them otherwise where that is a slip; else nothing",
    ),
}


def remedy(name: str, paths: Sequence[Path], first: str = "") -> str:
    """What to do about a finding in these files. No command writes into a file that it reads.

    `first` is what reading says to do about the first such line.
    """
    if name == "html" and is_json(paths[0]):
        return "undo the entities in the strings before they become JSON"
    files = shlex.join(map(str, paths))
    stem = paths[0].name.partition(".")[0]
    clean = f"{stem}-clean.tsv" if any(path.name == "clean.tsv" for path in paths) else "clean.tsv"
    reader = "gzip -dc" if paths[0].suffix == ".gz" else "cat"
    words = {
        "first": first or "put them right",
        "fix": f"seq2see check {files} --fix -o {clean}",
        "read": f"{reader} {shlex.quote(str(paths[0]))}",
        "mended": shlex.quote(f"{stem}-mended.tsv"),
    }
    text = FINDING_TYPES[name].remedy or "{first}"
    likewise = ", and the other file likewise" if len(paths) > 1 and "{read}" in text else ""
    return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], text) + likewise
