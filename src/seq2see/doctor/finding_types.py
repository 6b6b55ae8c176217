"""All types of findings: severity, unit of the count, meaning in one sentence, and remedy.

Their order is that of the report within a severity. `remedies` adds commands.
"""

from __future__ import annotations

from typing import NamedTuple

from seq2see.doctor.report import Severity


class FindingType(NamedTuple):
    """Severity and texts of one type of finding."""

    severity: Severity
    unit: str
    meaning: str
    remedy: str


CLEAN = "clean"
"""The remedy is a clean copy."""
LEAVE_OUT = "leave out"
"""The remedy is to correct the lines, or a clean copy without them."""
SHELL = "shell"
"""The remedy is a program of the shell."""

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
    "not-text": FindingType(
        "error",
        "files",
        "The file is in a format that is not text.",
        "",
    ),
    "parallel-lengths": FindingType(
        "error",
        "pairs of files",
        "The parallel files have different numbers of lines, so lines don't belong together.",
        "",
    ),
    "parallel-tables": FindingType(
        "error",
        "pairs of files",
        "Two files are read as parallel texts, and both look like files of pairs.",
        "",
    ),
    "nul": FindingType(
        "error",
        "lines",
        "Text contains no NUL: the file is probably UTF-16 or truncated.",
        LEAVE_OUT,
    ),
    "old-mac-line-ends": FindingType(
        "error",
        "lines",
        "Lines end in a carriage return alone, so that many lines are read as one.",
        SHELL,
    ),
    "choice": FindingType(
        "error",
        "files",
        "The columns can be paired in several ways: source and target have to be named.",
        "",
    ),
    "columns": FindingType(
        "error",
        "lines",
        "A line has other columns than the file: source TAB target, or those of the table.",
        LEAVE_OUT,
    ),
    "quoted-line-breaks": FindingType(
        "error",
        "lines",
        "Texts in quotation marks go over several lines, as in CSV; a line is a pair here (--quotes yes reads them).",
        LEAVE_OUT,
    ),
    "json": FindingType(
        "error",
        "lines",
        "Expected a JSON object with the keys of source and target, both strings.",
        LEAVE_OUT,
    ),
    "empty-sides": FindingType(
        "error",
        "lines",
        "The source or the target is empty.",
        LEAVE_OUT,
    ),
    "blank-lines": FindingType(
        "error",
        "lines",
        "Blank lines between the pairs.",
        LEAVE_OUT,
    ),
    "nothing-usable": FindingType(
        "error",
        "files",
        "There is no valid line.",
        "",
    ),
    "one-source": FindingType(
        "error",
        "files",
        "All pairs have the same source: there is nothing to learn, and no dev set can be split off.",
        "add pairs with other sources",
    ),
    "source-columns": FindingType(
        "error",
        "columns",
        "The source has another number of columns than in the training set.",
        "read the same columns of all files: --source lemma,features --target form",
    ),
    "unspaced-symbols": FindingType(
        "error",
        "sides",
        "The unit is symbols, and nearly all texts have no blanks, so that each would be a symbol of its own.",
        "",
    ),
    "unreadable": FindingType(
        "error",
        "texts",
        "The picture or series that a source names can't be read.",
        "correct the names, which are relative to the folder of the table, or leave these lines out (--skip-bad in "
        "training; check --fix)",
    ),
    "file-names": FindingType(
        "warning",
        "texts",
        "Most sources are names of files, and would be read as text: the letters are learned, not the contents.",
        "",
    ),
    "series-as-text": FindingType(
        "warning",
        "texts",
        "The sources are series of numbers, and would be read as text: the digits are learned, not the values.",
        "if they are measurements, write them as lists in JSON, which are read as vectors",
    ),
    "unrelated-sides": FindingType(
        "warning",
        "pairs of files",
        "Source and target have the same words, and yet line n of one file has no more in common with line n of the "
        "other than with any line: they may be two sets in one language.",
        "",
    ),
    "swapped": FindingType(
        "warning",
        "columns",
        "Two columns look like each other's in the training set: they are swapped in one of the files.",
        "swap them in one of the files",
    ),
    "merged-cells": FindingType(
        "warning",
        "cells",
        "A source column is empty in most rows, and the others don't tell these apart, as where cells were merged in "
        "a spreadsheet.",
        "if they were merged, fill each cell down to the next one",
    ),
    "constant": FindingType(
        "warning",
        "columns",
        "All texts of a column are the same: a source column tells nothing, and a target is nothing to learn.",
        "read other columns: --source, --target",
    ),
    "case": FindingType(
        "warning",
        "letters",
        "Only one of two sets has capitals, or small letters: to a model they are different symbols.",
        "",
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
        "The first line looks like a header, but is read as a pair.",
        "if it is one, leave it out with --header yes",
    ),
    "comments": FindingType(
        "warning",
        "lines",
        "Comments of a file format would be learned as text.",
        "remove them",
    ),
    "csv-quotes": FindingType(
        "warning",
        "pairs",
        "Texts are in the quotation marks of CSV, which would be learned as characters.",
        "if they are those of CSV: --quotes yes",
    ),
    "variant-numbers": FindingType(
        "warning",
        "pairs",
        "Sources end in the number of a variant, as in CMUdict, which no one types.",
        "remove it",
    ),
    "enclosed-targets": FindingType(
        "warning",
        "pairs",
        "Targets are enclosed in marks, which would be generated, too.",
        "remove them",
    ),
    "placeholders": FindingType(
        "warning",
        "pairs",
        "A usual placeholder is the target of many different sources, and would be learned as their answer.",
        "if it stands for a missing answer, leave these pairs out",
    ),
    "alternatives": FindingType(
        "warning",
        "pairs",
        "Targets seem to be several answers in one, which would be generated together.",
        "if they are, write a pair for each",
    ),
    "byte-order-mark-inside": FindingType(
        "warning",
        "texts",
        "U+FEFF inside a text is an invisible symbol of its own, usually left from concatenated files.",
        CLEAN,
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
        "HTML entities are learned as they are, character by character.",
        SHELL,
    ),
    "control": FindingType(
        "warning",
        "texts",
        "Control characters are invisible, and no one types them.",
        CLEAN,
    ),
    "invisible": FindingType(
        "warning",
        "texts",
        "Invisible characters without meaning in their context make equal words different.",
        CLEAN,
    ),
    "unusual-spaces": FindingType(
        "warning",
        "texts",
        "Spaces that look like a blank but are another symbol.",
        CLEAN,
    ),
    "space-around": FindingType(
        "warning",
        "texts",
        "White space at the ends of a text is learned and must be generated.",
        CLEAN,
    ),
    "doubled-blanks": FindingType(
        "warning",
        "texts",
        "Runs of blanks are learned and must be generated.",
        CLEAN,
    ),
    "mixed-script-words": FindingType(
        "warning",
        "texts",
        "Words with a look-alike letter from another script: equal words become different.",
        "write each word in one script",
    ),
    "look-alikes": FindingType(
        "warning",
        "characters",
        "Phonetic symbols beside characters that look like them: equal sounds become different.",
        "write each sound in one way, such as with the phonetic symbols",
    ),
    "duplicates": FindingType(
        "warning",
        "pairs",
        "A repeated pair counts twice; in tokens of running text this is its frequency, and intended.",
        CLEAN,
    ),
    "contradictions": FindingType(
        "warning",
        "sources",
        "The same source has several targets, of which a model predicts one. Several translations or"
        " pronunciations are legitimate, errors are not.",
        "",
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
        CLEAN,
    ),
    "byte-order-mark-at-start": FindingType(
        "note",
        "files",
        "The file begins with a byte order mark, which is skipped.",
        CLEAN,
    ),
    "not-nfc": FindingType(
        "note",
        "texts",
        "Not in Unicode NFC; training normalizes them, so predictions are in NFC, and references should be too.",
        CLEAN,
    ),
    "moses-escapes": FindingType(
        "note",
        "texts",
        "Escapes of the Moses tokenizer: correct if its detokenizer is applied to the output.",
        "nothing, if the text is tokenized; otherwise as for HTML",
    ),
    "tag-order": FindingType(
        "note",
        "texts",
        "The same tags in several orders: one set to the unit tags, different texts to all others.",
        "nothing if the unit is tags (text.source); otherwise sort them, in all files",
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
        "Digits of several scripts on one side: each digit is learned once per script.",
        "use one variant",
    ),
    "full-width": FindingType(
        "note",
        "characters",
        "Full-width and ordinary letters or digits on one side: each is learned twice.",
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
