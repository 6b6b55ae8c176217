"""Files to bytes, with what can be wrong with a file as a whole said in one sentence."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from peeky.errors import DataError

_GZIP = b"\x1f\x8b"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_content(path: Path) -> bytes:
    """The bytes of a file of text, which may be compressed with gzip.

    Raises DataError where it is missing, a folder, empty, damaged or in UTF-16.
    """
    where = str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError("there is no such file", where=where, fix="check the path") from None
    except IsADirectoryError:
        raise DataError("this is a folder", where=where, fix="name a file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"the file can't be read: {reason}", where=where, fix="check path and permissions") from error
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            what = f"the gzip file is cut short or damaged: {error}"
            raise DataError(what, where=where, fix="copy or download it again") from error
    elif path.suffix == ".gz" and content:
        raise DataError("the name ends in .gz but this is not a gzip file", where=where, fix="rename it without .gz")
    # Text has no NUL, but every other byte of Latin script in UTF-16 is one.
    start = content[:4096]
    if content.startswith(_UTF16_MARKS) or start.count(0) > len(start) // 4:
        fix = "convert it to UTF-8: iconv -f UTF-16 -t UTF-8"
        raise DataError("this looks like UTF-16, or is not text at all", where=where, fix=fix)
    if not content.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n"):
        raise DataError("the file is empty", where=where, fix="name a file with at least one line of text")
    return content
