"""Trainings on sources of several fields."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest

import seq2see
from seq2see.errors import ConfigError
from seq2see.model import ModelOptions, fitting, resolve
from seq2see.run import fine_tune

STEMS = ["".join(letters) for letters in itertools.product("bdg", "aeiou", "lmn")]
ENDINGS = {"V;PST": "ed", "V;PRS": "s", "N;SG": "", "N;PL": "es"}
PAIRS = [(f"{stem}\t{tags}", stem + ending) for stem in STEMS for tags, ending in ENDINGS.items()]
TINY = {"training.max_updates": 250, "model.width": 48, "model.dropout": 0.0, "training.batch_size": 32}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> seq2see.Model:
    """Inflects: the answer follows from a stem and tags."""
    return seq2see.train(
        PAIRS, dev=PAIRS[::7], out=tmp_path_factory.mktemp("fields") / "run", settings=TINY, quiet=True
    )


def test_tags_become_a_field_of_their_own(model: seq2see.Model) -> None:
    assert model.source_codec is not None
    assert model.source_codec.tokenizer.unit == ("characters", "tags")
    assert "characters, tags" in repr(model)


def test_the_order_of_the_tags_means_nothing(model: seq2see.Model) -> None:
    one, other = model.predict(["bal\tPST;V", "bal\tV;PST"])
    assert one.text == other.text == "baled"
    assert abs(one.log_prob - other.log_prob) < 1e-5  # the rows of one product of matrices may differ in the last bit
    assert one.source_tokens == ["b", "a", "l", "\t", "<V>", "<PST>", "<eos>"]


def test_both_engines_give_the_same_answers(model: seq2see.Model, tmp_path: Path) -> None:
    packed = tmp_path / "m.seq2see"
    model.pack(packed, data=PAIRS)
    sources = [source for source, _ in PAIRS[::5]]
    answers = [seq2see.load(packed, engine=engine).predict(sources, beam=3) for engine in ("numpy", "torch")]
    for one, other in zip(*answers, strict=True):
        assert one.text == other.text
        assert abs(one.log_prob - other.log_prob) < 1e-4
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("bidirectional", "every_step"),
        ("bidirectional", "decoder"),
        ("transformer", "decoder"),
        ("transducer", "every_step"),
    ],
)
def test_tags_of_the_decoder_give_the_same_answers_in_both_engines(name: str, tags: str, tmp_path: Path) -> None:
    settings = TINY | {"model.name": name, "model.tags": tags, "model.copy": True, "training.max_updates": 40}
    seq2see.train(PAIRS, dev=PAIRS[::7], out=tmp_path / "run", settings=settings, quiet=True)
    sources = [source for source, _ in PAIRS[::9]] + ["bal\tV;NEW", "bal\t"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a tag is unknown
        answers = [seq2see.load(tmp_path / "run", engine=each).predict(sources, beam=3) for each in ("numpy", "torch")]
    for one, other in zip(*answers, strict=True):
        assert one.text == other.text
        assert abs(one.log_prob - other.log_prob) < 1e-4


def test_tags_before_the_text_are_the_decoders_too(tmp_path: Path) -> None:
    def turned(source: str) -> str:
        return "\t".join(reversed(source.split("\t")))

    pairs = [(turned(source), target) for source, target in PAIRS]
    settings = TINY | {"model.tags": "decoder", "text.source": ["tags", "characters"], "training.max_updates": 40}
    seq2see.train(pairs, dev=pairs[::7], out=tmp_path / "run", settings=settings, model="bidirectional", quiet=True)
    sources = [source for source, _ in pairs[::9]]
    numpy, torch = (seq2see.load(tmp_path / "run", engine=engine) for engine in ("numpy", "torch"))
    together = numpy.predict(sources, beam=3)
    for source, one, other in zip(sources, together, torch.predict(sources, beam=3), strict=True):
        assert one.text == other.text == numpy.predict([source], beam=3)[0].text
        assert abs(one.log_prob - other.log_prob) < 1e-4
    assert len({answer.text for answer in together}) > 1


@pytest.mark.parametrize("tags", ["every_step", "decoder"])
def test_tags_of_the_decoder_need_a_field_of_tags(tags: str, tmp_path: Path) -> None:
    pairs = [(source.split("\t")[0], target) for source, target in PAIRS]
    with pytest.raises(ConfigError, match=f"'{tags}' needs a source with a field of tags") as caught:
        seq2see.train(pairs, out=tmp_path / "run", settings=TINY | {"model.tags": tags}, quiet=True)
    assert caught.value.where == "model.tags"
    assert not (tmp_path / "run").exists()


def test_tags_of_the_decoder_alone_need_attention() -> None:
    with pytest.raises(ConfigError, match="'decoder' needs soft attention, which 'transducer' has not") as caught:
        resolve(ModelOptions(name="transducer", tags="decoder"))
    assert caught.value.where == "model.tags"
    assert fitting(ModelOptions(tags="decoder"), "transducer").tags is None
    assert resolve(fitting(ModelOptions(tags="decoder"), "attention")).tags == "decoder"


def test_a_text_with_too_few_fields_has_no_answer_and_a_reason(model: seq2see.Model) -> None:
    with pytest.warns(UserWarning, match=r"must have 2 columns separated by TAB, found 1"):
        bad, good = model.predict(["bal", "bal\tV;PST"])
    assert (bad.text, good.text) == ("", "baled")


def test_a_text_without_any_field_has_no_answer_and_a_reason(model: seq2see.Model) -> None:
    with pytest.warns(UserWarning, match="texts without an answer: 3 of 4 .first: text 1: all columns are empty"):
        *bad, good = model.predict(["\t", "", " \t ", "bal\tV;PST"])
    assert all("all columns are empty (column 1, column 2)" in each.error for each in bad)
    assert good.text == "baled"


def test_a_field_that_is_empty_and_never_was_is_noted(model: seq2see.Model, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"^column 2 is empty in 1 of 2 texts \(first: text 2\), and never was in tr"):
        model.predict(["bal\tV;PST", "bal\t"])
    more = [(f"{stem}\t", stem) for stem in STEMS]
    settings = {"training.start_from": str(model.paths[0]), "training.max_updates": 1}
    tuned = seq2see.train([*more, *PAIRS], dev=more[::9], out=tmp_path / "tuned", settings=settings, quiet=True)
    assert (model.seen.filled, tuned.seen.filled) == ({1, 2}, {1})
    tuned.predict("bal\t")


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_empty_fields_are_found_in_ids(model: seq2see.Model, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tune, "BLOCK_IDS", block)
    codec = model.source_codec
    assert codec is not None
    for texts, filled in ((["ba\tV", "b\tN"], [1, 2]), (["b\tV", "\tV"], [2]), (["a\t", "\tV"], []), (["\t"], [])):
        ids = np.concatenate([codec.encode(text) for text in texts])
        assert fine_tune.filled_fields(codec, ids) == filled


@pytest.mark.filterwarnings("ignore::seq2see.inference.notes.UnknownTextWarning")
def test_columns_have_the_names_of_the_table(tmp_path: Path) -> None:
    rows = [f"{source}\t{target}" for source, target in PAIRS]
    (tmp_path / "table.tsv").write_text("\n".join(["lemma\tfeatures\tform", *rows]), encoding="utf-8")
    settings = TINY | {"training.max_updates": 1}
    named = seq2see.train(tmp_path / "table.tsv", out=tmp_path / "run", settings=settings, quiet=True)
    with pytest.warns(UserWarning, match=r"must have 2 columns separated by TAB \(lemma, features\), found 1"):
        named.predict("bal")
    with pytest.warns(UserWarning, match=r"all columns are empty \(lemma, features\)"):
        named.predict("\t")
    with pytest.warns(UserWarning, match=r"features is empty in 1 of 1 texts"):
        named.predict("bal\t")


def test_models_by_hand_read_one_field(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one field"):
        seq2see.train(PAIRS, out=tmp_path / "run", engine="scratch", settings={"training.max_updates": 1}, quiet=True)


def test_a_model_with_fields_is_fine_tuned(model: seq2see.Model, tmp_path: Path) -> None:
    more = [(f"{stem}\tV;FUT", f"{stem}ol") for stem in STEMS]
    settings = {"training.start_from": str(model.paths[0]), "training.max_updates": 120, "training.batch_size": 16}
    tuned = seq2see.train([*more, *PAIRS[::3]], dev=more[::9], out=tmp_path / "tuned", settings=settings, quiet=True)
    assert tuned.predict("gum\tFUT;V")[0].text == "gumol"
    assert tuned.source_codec is not None
    assert "<FUT>" in tuned.source_codec.vocabulary
