"""Which encoding a file has that is not UTF-8: candidates, each with the text as it would read."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from seq2see.data.advice import Advice

NUM_CANDIDATES = 4
SAMPLE_BYTES = 1 << 16
"""Bytes from which encodings are compared."""
_MAX_SHOWN = 30
_FEW_ODD = 0.2
_IN_TEXT = ("Mn", "Mc", "Lm", "Pi", "Pf", "Pd", "Zs", "Nd")
"""Categories of characters beyond ASCII that words have beside letters: marks, quotation marks, dashes."""

_MARKS = ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
"""Byte order marks; that of UTF-32 begins with that of UTF-16."""
_WITHOUT_MARK = ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE")

_NAMES = {
    "cp1252": "CP1252", "cp1250": "CP1250", "cp1251": "CP1251", "cp1253": "CP1253", "cp1254": "CP1254",
    "cp1255": "CP1255", "cp1256": "CP1256", "cp1257": "CP1257", "cp932": "CP932",
    "gb18030": "GB18030", "cp949": "CP949", "big5hkscs": "BIG5", "euc_jis_2004": "EUC-JP", "koi8-r": "KOI8-R",
    "koi8-u": "KOI8-U", "cp874": "CP874", "iso8859-1": "ISO-8859-1", "iso8859-2": "ISO-8859-2",
    "iso8859-5": "ISO-8859-5", "iso8859-6": "ISO-8859-6", "iso8859-7": "ISO-8859-7", "iso8859-8": "ISO-8859-8",
    "iso8859-15": "ISO-8859-15", "mac-roman": "MACINTOSH", "cp437": "CP437", "cp850": "CP850", "cp852": "CP852",
    "cp866": "CP866",
}  # fmt: skip
"""Encodings as chardet and as both iconv and Python call them. Of several that read the same, the first is shown."""


class Candidate(NamedTuple):
    """An encoding, by its name for iconv, and the beginning of the text in it."""

    name: str
    sample: str


class LinesNotUTF8:
    """Counts the lines of a file that are not UTF-8, and keeps the first ones as evidence."""

    def __init__(self) -> None:
        self.num_lines = self.num_bad = self.num_good = 0
        """All lines; those that are not UTF-8; those in UTF-8 with more than ASCII."""
        self.sample = b""
        """The first lines that are not UTF-8."""

    def add(self, lines: Iterable[bytes]) -> None:
        """Look at more lines, without their line ends."""
        for line in lines:
            self.num_lines += 1
            if line.isascii():
                continue
            try:
                line.decode()
                self.num_good += 1
            except UnicodeDecodeError:
                self.num_bad += 1
                if len(self.sample) < SAMPLE_BYTES:
                    self.sample += line[:SAMPLE_BYTES].removesuffix(b"\r") + b"\n"

    def advice(self, *, can_skip: bool = True) -> Advice:
        """What encoding the file could have, or that only some lines are damaged, which a command may skip."""
        found = candidates(self.sample)
        evidence = tuple(f"as {each.name}: {each.sample}" for each in found)
        lines = f"{self.num_bad:,} of {self.num_lines:,} lines {'is' if self.num_bad == 1 else 'are'} not UTF-8"
        if self.num_good >= self.num_bad:
            what = f"{lines}, but {self.num_good:,} others are, with letters beyond ASCII"
            lines_to = "correct or skip these lines (--skip-bad)" if can_skip else "correct these lines"
            fix = f"{lines_to}; converting the whole file would garble the others"
            return Advice(what, fix, evidence=evidence)
        if not found:
            return Advice(lines, "find out which program wrote it, and export it as UTF-8")
        what = f"{lines}; other encodings read:"
        if self.num_good:
            what = f"{lines}, and {self.num_good:,} are, so it mixes encodings; others read:"
        fix = "give the encoding that reads right: --encoding "
        names = [each.name for each in found]
        if self.num_bad == 1 and len(names) > 1:  # nothing is sure about a single line
            names = [" or ".join([", ".join(names[:-1]), names[-1]])]
        elif self.num_bad == 1:
            fix = "if it reads right so, give this encoding: --encoding "
        return Advice(what, fix + names[0], evidence=evidence)


def unicode_advice(content: bytes) -> Advice | None:
    """The advice for a file whose beginning is UTF-16 or UTF-32; None for another file."""
    name = unicode_form(content)
    if not name:
        return None
    how = "by its byte order mark" if content.startswith(tuple(mark for mark, _ in _MARKS)) else "without a mark"
    size = 4 if "32" in name else 2
    text = content[: len(content) // size * size].decode(name, "ignore")
    first = next(iter(text.removeprefix("\ufeff").splitlines()), "")
    what = f"looks like {name}, {how}, not UTF-8; it reads: {shown(first)}"
    return Advice(what, f"give it: --encoding {name}")


def unicode_form(content: bytes) -> str:
    """UTF-16, UTF-32 (with a byte order mark), UTF-16LE, UTF-16BE, UTF-32LE or UTF-32BE; "" for anything else.

    Without a mark, ASCII and line ends show by the place of their NULs. The text may be cut off anywhere.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if b"\0" not in content:
        return ""
    is_utf8 = _is_text_so_far(content.replace(b"\0", b""))
    for name in _WITHOUT_MARK:
        size = 4 if "32" in name else 2
        whole = content[: len(content) // size * size]
        try:
            text = whole.decode(name)
        except UnicodeDecodeError:
            if len(whole) <= 2 * size:
                continue
            try:  # cut off within a surrogate pair
                text = whole[:-size].decode(name)
            except UnicodeDecodeError:
                continue
        num_ascii = sum(character < "\x80" for character in text)
        # One NUL in UTF-8 also leaves text that could be ideographs, so much of it must be ASCII then.
        if num_ascii and is_plausible(text) and (not is_utf8 or 3 * num_ascii >= len(text)):
            return name
    return ""


def candidates(content: bytes) -> list[Candidate]:
    """Encodings in which these lines could be written, the likeliest first; each reads differently."""
    import chardet

    found: dict[str, str] = {}
    order = list(_NAMES.values())
    for each in chardet.detect_all(content, ignore_threshold=True, include_encodings=_NAMES, compat_names=False):
        name = _NAMES.get(each["encoding"] or "")
        if name is None:
            continue
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        if is_plausible(text):
            found[text] = min(found.get(text, name), name, key=order.index)
    likely_first = sorted(found.items(), key=lambda each: share_of_odd_letters(each[0]) > _FEW_ODD)
    texts = [text.splitlines() for text, _ in likely_first[:NUM_CANDIDATES]]
    # The line that tells most of them apart.
    best = max(range(min(map(len, texts), default=0)), key=lambda row: len({lines[row] for lines in texts}), default=0)
    kept = [(name, lines[best]) for (_, name), lines in zip(likely_first, texts, strict=False) if lines]
    letters = zip(*(line for _, line in kept), strict=False)
    at = next((at for at, own in enumerate(letters) if len(set(own)) > 1 or not own[0].isascii()), None)
    return [Candidate(name, shown(line, at)) for name, line in kept]


def share_of_odd_letters(text: str) -> float:
    """The share of the characters beyond ASCII that no word has there.

    These are symbols, capitals after small letters, and letters of another script beside Latin ones. chardet knows
    languages, but has little to go by in lists of short words.
    """
    before, num_odd, num = " ", 0, 0
    for character in text:
        if character >= "\x80":
            num += 1
            if not character.isalpha():
                is_odd = unicodedata.category(character) not in _IN_TEXT
            else:
                is_odd = before.islower() and character.isupper()
                is_odd |= before.isalpha() and before.isascii() and not _is_latin(character)
        else:
            is_odd = character.isalpha() and before >= "\x80" and before.isalpha() and not _is_latin(before)
        num_odd += is_odd
        before = character
    return num_odd / max(1, num)


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(("LATIN", "MODIFIER"))


def is_plausible(text: str) -> bool:
    """Whether a decoded text has only characters that texts have: no control characters, none that is unassigned."""
    return not any(
        unicodedata.category(character) in ("Cc", "Cn", "Co", "Cs")
        for character in set(text.removeprefix("\ufeff")) - {"\t", "\n", "\r"}
    )


def _is_text_so_far(content: bytes) -> bool:
    """Whether these bytes are text in UTF-8, perhaps cut off within a character."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        if error.end < len(content) or "unexpected end" not in error.reason:
            return False
        text = content[: error.start].decode()
    return is_plausible(text)


def shown(line: str, at: int | None = None) -> str:
    """The first two columns of a line, shortened, without invisible characters; with `at`, the text around it.

    Without it, a text is cut after its beginning.
    """
    cells = line.split("\t")
    if at is not None:
        column = line.count("\t", 0, at)
        place = at - (line.rfind("\t", 0, at) + 1)
        if column > 1:
            cells, column = cells[column:], 0
        if place >= _MAX_SHOWN - 1:
            start = max(0, min(place - _MAX_SHOWN // 2, len(cells[column]) - _MAX_SHOWN + 1))
            cells[column] = f"…{cells[column][start:]}"
    cells = [cell if len(cell) <= _MAX_SHOWN else cell[: _MAX_SHOWN - 1] + "…" for cell in cells[:2]]
    return "".join(character for character in " → ".join(cells) if character.isprintable())
