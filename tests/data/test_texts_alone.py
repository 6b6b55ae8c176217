"""Files of texts of one side alone."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from seq2see import cli
from seq2see.data.texts_alone import Side, texts_alone
from seq2see.errors import DataError


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("pairs.tsv", "ab\tba\nac\tca\n", "2 columns separated by TAB"),
        ("some.txt", "ab\nac\tca\nad\nae\n", "a TAB in some lines"),
        ("named.csv", "source,target\nab,ba\nac,ca\n", "2 columns separated by commas, with a header"),
        (
            "four.csv",
            "\ufeffWort;Laut;Art;Quelle\nab;ba;N;ab ac\nac;ca;V;ca\n",
            "4 columns separated by semicolons, with a header",
        ),
        (
            "tags.tsv",
            "lemma\tform\tfeatures\nab\tba\tV;PST\nac\tca\tV;PRS\n",
            "3 columns separated by TAB, with a header",
        ),
    ],
)
def test_a_table_is_refused_with_a_command_that_takes_the_texts_out_of_it(
    name: str, content: str, found: str, side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=f"{name}: has {found}, and should have one {side} text") as caught:
        texts_alone(path, side, skip_bad=False, encoding=None)
    check, _, command = caught.value.fix.partition(": ")[2].rpartition(" && ")
    if check:
        assert cli.run(shlex.split(check)[1:]) == 0
    subprocess.run(["sh", "-c", command], check=True)
    taken = texts_alone(path.with_name(f"{path.stem}-texts.txt"), side, skip_bad=False, encoding=None)
    expected = ["ba", "ca"] if side == "target" else ["ab", "ac"]
    assert taken == (["ab", "ac", "ad", "ae"] if name == "some.txt" else expected)


def test_texts_may_have_commas_and_be_json(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("ab, ba\nac, ca\n")
    assert texts_alone(tmp_path / "texts.txt", "source", skip_bad=False, encoding=None) == ["ab, ba", "ac, ca"]
    (tmp_path / "texts.jsonl").write_text('{"text": "ab\\tba"}\n')
    assert len(texts_alone(tmp_path / "texts.jsonl", "source", skip_bad=False, encoding=None)) == 1
    (tmp_path / "some.txt").write_text("ab\nac\tca\nad\n")
    assert texts_alone(tmp_path / "some.txt", "source", skip_bad=True, encoding=None) == ["ab", "ad"]
