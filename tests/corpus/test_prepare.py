"""A prepared corpus contains the same ids as the files, and is written atomically."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from seq2see.config import make_config
from seq2see.corpus import PreparedCorpus, passes, prepare_corpus
from seq2see.corpus import preparation as preparation_module
from seq2see.corpus import prepare as prepare_module
from seq2see.corpus.corpus import Corpus, open_corpus, read_manifest
from seq2see.corpus.request import changes
from seq2see.data import Examples
from seq2see.data.groups import grouping_of
from seq2see.errors import CheckpointError, ConfigError, DataError, UserError
from seq2see.run.planning import plan_run
from seq2see.storage.locks import locked

Prepare = Callable[..., str]


class Stopped(BaseException):
    """Simulates a power failure."""


def stopped(*_: object) -> None:
    raise Stopped


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few lines per part, so that a small file has many parts."""
    monkeypatch.setattr("seq2see.corpus.parts.PART_BYTES", 500)


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Prepares these files in tmp_path/corpus and returns the messages."""

    def run(*files: Path, out: str = "corpus", workers: int = 1, **settings: Any) -> str:
        named = {key.replace("__", "."): value for key, value in settings.items()}
        config = make_config({}, {"data.train": list(map(str, files))} | named)
        console = Console(file=io.StringIO(), width=500)
        prepared = prepare_corpus(config, tmp_path / out, workers=workers, console=console)
        assert isinstance(prepared, PreparedCorpus)
        assert not (tmp_path / f"{out}.preparing").exists()
        return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]

    return run


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    """200 pairs of sentences, some of them repeated."""
    chance = np.random.default_rng(5)
    words = [
        [f"{stem}{ending}" for stem in stems for ending in "aeiou"] for stems in (["hous", "gard", "tre"], ["maj"])
    ]
    lines = ["\t".join(" ".join(chance.choice(side, 5)) for side in words) for _ in range(190)]
    path = tmp_path / "sentences.tsv"
    path.write_text("\n".join([*lines, *lines[:10]]) + "\n")
    return path


def arrays(examples: Examples) -> Iterator[list[int]]:
    for array in (examples.source_ids, examples.source_offsets, examples.target_ids, examples.target_offsets):
        yield array.tolist()


def check_as_from_files(files: list[Path], corpus: Path, **settings: Any) -> Corpus:
    """The plan of a training run on the corpus equals that on the files."""
    named = {key.replace("__", "."): value for key, value in settings.items()}
    expected = plan_run(make_config({}, named | {"data.train": list(map(str, files))}))
    model = {key: value for key, value in named.items() if key == "model.name"}
    found = plan_run(make_config({}, {"data.train": [str(corpus)]} | model))
    assert list(arrays(found.examples)) == list(arrays(expected.examples))
    assert found.codecs == expected.codecs
    assert found.data.dev == expected.data.dev
    for part in ("text", "model", "training"):
        assert getattr(found.config, part) == getattr(expected.config, part)
    assert (found.max_length, found.unknown_on_dev) == (expected.max_length, expected.unknown_on_dev)
    assert [pair.target for pair in found.data.train[:3]] == [pair.target for pair in expected.data.train[:3]]
    assert len(found.data.train) == len(expected.data.train)
    assert found.data.corpus
    return found.data.corpus


# --- the same as from files -------------------------------------------------------------------------------------------

TEXTS: dict[str, dict[str, Any]] = {
    "chosen": {},
    "characters": {
        "model__name": "bidirectional",  # of the file alone a transducer would be chosen
        "text__source": "characters",
        "text__target": "graphemes",
        "text__normalization": "NFD",
    },
    "truncated": {"text__source": "bpe", "text__target": "words", "text__truncate": 9, "text__subword_size": 40},
    "words": {"text__source": "words", "text__target": "symbols", "text__max_vocabulary": 12},
    "bpe": {"text__source": "bpe", "text__target": "bytes", "text__subword_size": 40},
    "truncated, joint": {
        "text__source": "bpe",
        "text__target": "bpe",
        "text__joint": True,
        "text__truncate": 9,
        "text__subword_size": 40,
    },
    "joint": {"text__source": "bpe", "text__target": "bpe", "text__joint": True, "data__dev_share": 0.3},
    "protected": {"text__source": "words", "text__target": "bpe", "text__protect": "aj|se [gt]", "data__longest": 17},
    "protected, joint": {
        "text__source": "bpe",
        "text__target": "bpe",
        "text__joint": True,
        "text__protect": "aj|se [gt]",
    },
}


def test_cut_sources_are_counted_and_said(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    said = prepare(sentences, text__source="words", text__target="words", text__truncate=3)
    corpus = open_corpus(tmp_path / "corpus")
    line = f"{len(corpus.examples):,} of {len(corpus.examples):,} sources are cut to 3 tokens (text.truncate)"
    assert line in said
    found = plan_run(make_config({}, {"data.train": [str(tmp_path / "corpus")], "model.name": "bidirectional"}))
    assert line in found.notes
    again = prepare(sentences, out="whole", text__source="words", text__target="words", text__truncate=5)
    assert "are cut" not in again
    assert open_corpus(tmp_path / "whole").num_cut == 0


def test_pairs_are_grouped_by_what_all_parts_show(prepare: Prepare, tmp_path: Path) -> None:
    """Of a sorted file the first part may have one word, which looks like a label there."""
    path = tmp_path / "forms.tsv"
    lines = [f"w{max(0, at - 90) // 3}\tx{at}\tf{at}" for at in range(300)]
    path.write_text("".join(f"{line}\n" for line in lines))
    own = {"data__source": "1,2", "data__target": "3", "model__name": "bidirectional"}
    own |= {"text__source": ["characters", "characters"], "text__target": "characters"}
    first = path.read_text()[:500].splitlines()[:-1]
    assert grouping_of(None, [line.rpartition("\t")[0] for line in first]).field == 2
    said = prepare(path, **own)
    corpus = check_as_from_files([path], tmp_path / "corpus", **own)
    assert corpus.facts["group"] == 1
    assert "dev pairs, set aside by distinct values of source field 1" in said
    given = make_config({}, {"data.train": [str(corpus.folder)], "data.group": 1, "model.name": "bidirectional"})
    plan = plan_run(given, given={"data.group"})  # what was decided may also be given
    words, dev_words = ({pair.source.split("\t")[0] for pair in some} for some in (plan.data.train, plan.data.dev))
    assert plan.data.dev == corpus.dev
    assert dev_words
    assert not words & dev_words
    other = make_config({}, {"data.train": [str(corpus.folder)], "data.group": 2, "model.name": "bidirectional"})
    with pytest.raises(ConfigError, match="is 2, but the corpus was prepared with 1"):
        plan_run(other, given={"data.group"})


def test_tags_are_read_by_the_decoder_as_from_files(prepare: Prepare, tmp_path: Path) -> None:
    path = tmp_path / "forms.tsv"
    sets = ["SG;V"] * 20 + ["V;SG", "V;PST;SG"] * 140  # in the first part SG is the more frequent
    path.write_text("".join(f"w{at}\t{tags}\tf{at}\n" for at, tags in enumerate(sets)))
    own = {"data__source": "1,2", "data__target": "3", "model__name": "bidirectional"}
    own |= {"text__source": ["characters", "tags"], "text__target": "characters"}
    prepare(path, **own)
    corpus = check_as_from_files([path], tmp_path / "corpus", **own)
    source = corpus.codecs[0]
    assert source is not None
    assert source.tokens(source.encode("w1\tSG;PST;V"))[3:-1] == ["<SG>", "<V>", "<PST>"]
    chosen = {"data.train": [str(corpus.folder)], "model.name": "bidirectional"}
    assert plan_run(make_config({}, chosen)).config.model.tags == "decoder"


def test_sources_are_folded_as_from_files(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    lines = sentences.read_text().splitlines()
    sentences.write_text("".join(f"{line.title() if row % 2 else line}\n" for row, line in enumerate(lines)))
    for unit in ("characters", "bpe"):
        prepare(sentences, text__source=unit, text__case="fold")
        source = check_as_from_files([sentences], tmp_path / "corpus", text__source=unit, text__case="fold").codecs[0]
        assert source is not None
        assert source.encode("House") == source.encode("house")


def test_a_corpus_of_before_there_was_an_option_is_up_to_date(
    prepare: Prepare, sentences: Path, tmp_path: Path
) -> None:
    prepare(sentences)
    before = read_manifest(tmp_path / "corpus")[0]["asked"]
    del before["text"]["case"]
    assert changes(before, read_manifest(tmp_path / "corpus")[0]["asked"]) == ""


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_ids_are_those_of_the_files(text: dict[str, Any], prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    prepare(sentences, **text)
    corpus = check_as_from_files([sentences], tmp_path / "corpus", **text)
    assert corpus.facts["lines"] == 200
    if "text__protect" in text:
        assert "aj" in corpus.codecs[1].vocabulary


def test_subwords_of_large_data_are_learned_from_the_same_sample(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2see.text.learning.MAX_TEXTS", 70)
    for joint in (True, False):
        text = {"text__source": "bpe", "text__target": "bpe", "text__joint": joint, "text__min_count": 2}
        prepare(sentences, **text)
        check_as_from_files([sentences], tmp_path / "corpus", **text)


def test_few_pairs_that_suit_a_transducer_are_said_to_need_their_file(prepare: Prepare, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(
        "".join(f"{a}{b}{c}\t{a.upper()} {b.upper()} {c.upper()}\n" for a in "abcd" for b in "abc" for c in "ef")
    )
    said = "a transducer, which often suits few pairs, can't be trained on a prepared corpus"
    prepare(path)
    for settings, expected in (({}, True), ({"model.name": "attention"}, False)):
        notes = plan_run(make_config({}, {"data.train": [str(tmp_path / "corpus")], **settings})).notes
        assert any(said in note for note in notes) == expected


def test_a_language_model(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(line.partition("\t")[0] for line in sentences.read_text().splitlines()))
    prepare(path, model__name="language_model")
    corpus = check_as_from_files([path], tmp_path / "corpus", model__name="language_model")
    assert not corpus.has_source
    with pytest.raises(ConfigError, match="without sources"):
        plan_run(make_config({}, {"data.train": [str(tmp_path / "corpus")]}))


def test_two_files_of_pairs_are_no_parallel_texts(tmp_path: Path, prepare: Prepare) -> None:
    files = [tmp_path / "first.txt", tmp_path / "second.txt.gz"]
    content = "".join(f"word {number}\tmot {number}\n" for number in range(40)).encode()
    files[0].write_bytes(content)
    files[1].write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="two files are read as parallel texts, but both have a TAB in each line"):
        prepare(*files)
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("kind", ["parallel", "gz", "json"])
def test_other_files(kind: str, prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    pairs = [line.split("\t") for line in sentences.read_text().splitlines()]
    if kind == "parallel":
        files = [tmp_path / "one.txt.gz", tmp_path / "two.txt"]
        files[0].write_bytes(gzip.compress("\r\n".join(pair[0] for pair in pairs).encode()))
        files[1].write_text("\n".join(pair[1] for pair in pairs) + "\n\n")
    elif kind == "gz":
        files = [tmp_path / "pairs.tsv.gz"]
        files[0].write_bytes(gzip.compress(sentences.read_bytes()))
    else:
        files = [tmp_path / "pairs.jsonl"]
        files[0].write_text("".join(f'{{"source": "{source}", "target": "{target}"}}\n' for source, target in pairs))
    prepare(*files)
    check_as_from_files(files, tmp_path / "corpus")


def test_given_dev_pairs(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    dev = tmp_path / "dev.tsv"
    dev.write_text("".join(sentences.read_text().splitlines(keepends=True)[:7]) + "another source\tx\n")
    said = prepare(sentences, data__dev=[str(dev)])
    assert "7 of the 8 dev pairs have a source that is also in train" in said
    check_as_from_files([sentences], tmp_path / "corpus", data__dev=[str(dev)])


def test_a_dev_pair_may_contain_other_line_separators(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    dev = tmp_path / "dev.tsv"
    dev.write_text("a\u2028b\x85c\td\u2029e\n", encoding="utf-8")
    prepare(sentences, data__dev=[str(dev)])
    assert [tuple(pair)[:2] for pair in open_corpus(tmp_path / "corpus").dev] == [("a\u2028b\x85c", "d\u2029e")]


def test_dev_is_chosen_from_a_few_candidates_per_part(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2see.data.split.NUM_CANDIDATES", 12)
    monkeypatch.setattr("seq2see.corpus.passes.NUM_CANDIDATES", 12)
    monkeypatch.setattr("seq2see.corpus.preparation.NUM_CANDIDATES", 12)
    known: list[int] = []
    choose = preparation_module.choose_dev
    monkeypatch.setattr(
        preparation_module,
        "choose_dev",
        lambda counts, *rest, **more: known.append(len(counts)) or choose(counts, *rest, **more),
    )
    prepare(sentences)
    assert known == [13]  # however many parts there are
    assert 0 < len(check_as_from_files([sentences], tmp_path / "corpus").dev) <= 20


def test_several_processes_give_the_same_corpus(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    # Parts are cut by this process, so these are as small for the others.
    prepare(sentences, workers=2)
    check_as_from_files([sentences], tmp_path / "corpus")


# --- bad lines --------------------------------------------------------------------------------------------------------


def test_invalid_lines_are_reported_and_counted_over_the_whole_file(
    prepare: Prepare, sentences: Path, tmp_path: Path
) -> None:
    lines = sentences.read_text().splitlines()
    for number in (3, 50, 51, 120, 180, 199):
        lines[number - 1] = "no second column"
    sentences.write_text("\n".join(lines))
    with pytest.raises(DataError, match="6 of 200 lines are invalid") as caught:
        prepare(sentences)
    for said in (f"{sentences}:3: expected 2 columns, found 1", f"{sentences}:180: expected", "and 1 more"):
        assert said in caught.value.what
    assert "--skip-bad" in caught.value.fix
    assert not (tmp_path / "corpus").exists()
    assert not (tmp_path / "corpus.preparing").exists()  # of no use when they are put right
    assert f"skipped 6 invalid lines, first {sentences}:3" in prepare(sentences, data__skip_bad=True)
    corpus = check_as_from_files([sentences], tmp_path / "corpus", data__skip_bad=True)
    assert (corpus.facts["skipped"], len(corpus.facts["problems"])) == (6, 5)


def test_an_unknown_encoding_leaves_nothing(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown encoding"):
        prepare(sentences, data__encoding="recipe.toml")
    assert not (tmp_path / "corpus.preparing").exists()


# --- resuming, and preparing again ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "unit"),
    [
        (passes.ScanPart, "bpe"),
        (passes.CountPart, "bpe"),
        (passes.EncodePart, "bpe"),
        pytest.param(passes.EncodePart, "unigram", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_preparation_is_resumed(
    at: type, unit: str, prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[type, int]] = []
    for kind in (passes.ScanPart, passes.CountPart, passes.EncodePart):

        def result(task: Any, own: Any = kind.result) -> Any:
            if stops and type(task) is at and task.part.number == 4:
                raise Stopped
            done.append((type(task), task.part.number))
            return own(task)

        monkeypatch.setattr(kind, "result", result)
    stops = True
    with pytest.raises(Stopped):
        prepare(sentences, text__source=unit)
    assert not (tmp_path / "corpus").exists()
    stops = False
    assert "resuming" in prepare(sentences, text__source=unit)
    assert len(done) == len(set(done))  # nothing twice
    assert len(done) > 3 * 10
    open_corpus(tmp_path / "corpus")


def test_a_kill_during_assembly_keeps_the_old_corpus(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(sentences)
    before = open_corpus(tmp_path / "corpus").digest
    sentences.write_text(sentences.read_text() + "one more\tline\n")
    rename = Path.rename

    def dies(path: Path, target: Path) -> Path:
        if target == tmp_path / "corpus":
            raise Stopped
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", dies)
    with pytest.raises(Stopped):
        prepare(sentences)
    monkeypatch.setattr(Path, "rename", rename)
    assert not (tmp_path / "corpus").exists()
    with monkeypatch.context() as patches:
        patches.setattr(prepare_module, "open_work", stopped)  # what was there is back before anything else is done
        with pytest.raises(Stopped):
            prepare(sentences)
    assert open_corpus(tmp_path / "corpus").digest == before
    assert "resuming" in prepare(sentences)
    assert open_corpus(tmp_path / "corpus").facts["lines"] == 201


def test_a_full_disk_is_reported(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seq2see.corpus.assembling.begin", full)
    with pytest.raises(CheckpointError, match="No space left on device") as caught:
        prepare(sentences)
    assert "the same command resumes" in caught.value.fix
    assert not (tmp_path / "corpus.preparing" / "corpus").exists()


def test_it_is_prepared_again_only_if_something_has_changed(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(sentences)
    before = read_manifest(tmp_path / "corpus")
    assert "up to date" in prepare(sentences)
    os.utime(sentences)
    assert "up to date" in prepare(sentences)
    assert read_manifest(tmp_path / "corpus") == before
    assert "text.min_count is 3, was None" in prepare(sentences, text__min_count=3)
    assert "text.min_count is None, was 3" in prepare(sentences)
    sentences.write_text(sentences.read_text() + "one more\tline\n")
    assert f"{sentences} has changed" in prepare(sentences)
    assert open_corpus(tmp_path / "corpus").facts["lines"] == 201
    monkeypatch.setattr("seq2see.corpus.request.FORMAT", 2)
    monkeypatch.setattr("seq2see.corpus.corpus.FORMAT", 2)
    assert "has format 1" in prepare(sentences)


def test_a_damaged_corpus_is_reported_and_prepared_again(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    prepare(sentences)
    folder = tmp_path / "corpus"
    for name in [path.name for path in sorted(folder.iterdir())]:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        with pytest.raises(DataError) as caught:
            open_corpus(folder)
        assert caught.value.where == str(folder / name)
        assert "seq2see prepare" in caught.value.fix
        assert f"{folder / name} is damaged" in prepare(sentences)
        open_corpus(folder)
    (folder / "target.ids.npy").unlink()
    with pytest.raises(DataError, match="is missing"):
        open_corpus(folder)


def test_a_corpus_without_its_manifest_is_prepared_again(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    prepare(sentences)
    (tmp_path / "corpus" / "corpus.json").unlink()
    with pytest.raises(DataError, match="is missing") as caught:
        plan_run(make_config({}, {"data.train": [str(tmp_path / "corpus")]}))
    assert caught.value.where == str(tmp_path / "corpus" / "corpus.json")
    assert "seq2see prepare" in caught.value.fix
    assert "corpus.json is missing" in prepare(sentences)
    open_corpus(tmp_path / "corpus")


@pytest.mark.parametrize(("name", "value"), [("parts.PART_BYTES", 800), ("working_folder.__version__", "0")])
def test_results_of_another_part_size_or_version_are_not_used(
    name: str, value: object, prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patches:
        patches.setattr("seq2see.corpus.prepare.assemble", stopped)
        with pytest.raises(Stopped):
            prepare(sentences)
    monkeypatch.setattr(f"seq2see.corpus.{name}", value)
    assert "resuming" not in prepare(sentences)
    assert open_corpus(tmp_path / "corpus").facts["lines"] == 200


def test_lost_pairs_are_noticed(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(problem: str) -> None:
        with pytest.raises(CheckpointError, match=problem) as caught:
            prepare(sentences)
        assert f"{tmp_path / 'corpus.preparing'}" in f"{caught.value}"

    own, cut = passes.split_off_dev, {".json": None} | {f".{number:06d}": 100 for number in range(100)}
    with monkeypatch.context() as patches:
        patches.setattr(passes, "split_off_dev", lambda *given: (own(*given)[0][1:], own(*given)[1]))
        damaged("part 0: .* pairs were read")
    shutil.rmtree(tmp_path / "corpus.preparing")
    with monkeypatch.context() as patches:
        patches.setattr(passes, "write_file", lambda path, content: path.write_bytes(content[: cut[path.suffix]]))
        damaged("found 100")


def test_other_folders_are_not_touched(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    others = [tmp_path / f"corpus.{ending}" for ending in ("old", "new", "gone")]
    for other in others:
        other.mkdir()
        (other / "notes").write_text("mine")
    prepare(sentences)
    assert [(other / "notes").read_text() for other in others] == ["mine"] * 3
    work = tmp_path / "another.preparing"
    work.mkdir()
    (work / "notes").write_text("mine")
    with pytest.raises(ConfigError, match="is not a working folder"):
        prepare(sentences, out="another")
    assert (work / "notes").read_text() == "mine"


def test_concurrent_preparations_are_refused(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl", reason="this system has no such locks")
    monkeypatch.setattr("seq2see.storage.locks.MAX_WAIT_SECONDS", 0)
    with locked(tmp_path / "corpus.preparing", print), pytest.raises(ConfigError, match="is preparing in it"):
        prepare(sentences)
    prepare(sentences)


def test_a_killed_worker_process_is_reported(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patches:
        patches.setattr("seq2see.corpus.preparation.init_worker", partial(os._exit, 9))
        with pytest.raises(UserError, match="memory ran out") as caught:
            prepare(sentences, workers=2)
    assert "fewer --workers" in caught.value.fix
    assert "resuming" in prepare(sentences)


def test_an_error_in_a_worker_process_is_reported_as_it_is(
    prepare: Prepare, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "corpus.preparing" / "source.vocabulary.json"
    encode = preparation_module.Preparation.encode

    def encode_with_a_damaged_file(preparation: Any, *arguments: Any) -> Any:
        damaged.write_bytes(b"{")  # only the workers read it
        return encode(preparation, *arguments)

    monkeypatch.setattr(preparation_module.Preparation, "encode", encode_with_a_damaged_file)
    with pytest.raises(CheckpointError, match="invalid JSON") as caught:
        prepare(sentences, workers=2)
    assert caught.value.where == str(damaged)
    assert "copy the file again" in caught.value.fix


@pytest.mark.slow
def test_killed_with_worker_processes(sentences: Path, tmp_path: Path) -> None:
    lines = sentences.read_text()
    sentences.write_text(lines * 4000)  # 32 MB: four parts
    command = [
        sys.executable,
        "-m",
        "seq2see",
        "prepare",
        str(sentences),
        "--out",
        str(tmp_path / "c"),
        "--workers",
        "2",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    work, deadline = tmp_path / "c.preparing", time.monotonic() + 120
    while not list(work.glob("count.*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "resuming" in again.stderr
    assert len(open_corpus(tmp_path / "c").examples) > 700_000


# --- what is refused --------------------------------------------------------------------------------------------------


def test_invalid_preparations(prepare: Prepare, sentences: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="BPE-dropout is not supported"):
        prepare(sentences, text__source="bpe", text__target="bpe", text__bpe_dropout=0.1)
    with pytest.raises(ConfigError, match="no training data"):
        prepare()
    with pytest.raises(DataError, match="no such file"):
        prepare(tmp_path / "none.tsv")
    damaged = tmp_path / "damaged.tsv.gz"
    damaged.write_bytes(gzip.compress(sentences.read_bytes())[:-20])
    with pytest.raises(DataError, match="truncated or damaged"):
        prepare(damaged)
    assert not list(tmp_path.glob("corpus*"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("x")
    with pytest.raises(ConfigError, match="not a prepared corpus"):
        prepare(sentences, out="mine")
    with pytest.raises(ConfigError, match="not a prepared corpus"):
        prepare(sentences, out="/")
