"""A transducer from training to its answers."""

from __future__ import annotations

import io
import math
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import seq2see
from seq2see.config import make_config
from seq2see.data import Pair
from seq2see.errors import CheckpointError, ConfigError
from seq2see.run.folder import stored_config
from seq2see.run.train import train
from seq2see.storage.saved_model import load_model, write_packed
from seq2see.text.alignment import STEP_TOKEN
from seq2see.training import Event, Updated

SOUNDS = {"a": "A", "e": "E", "b": "B", "c": "", "x": "K S", "h": "H"}


def sound(word: str) -> str:
    """The sounds of a word, separated by blanks."""
    return " ".join(SOUNDS[letter] for letter in word if SOUNDS[letter])


RNG = random.Random(1)
WORDS = sorted({"".join(RNG.choice("aebcxh") for _ in range(RNG.randint(2, 6))) for _ in range(160)})
PAIRS = [(word, sound(word)) for word in WORDS if sound(word)]
TINY = {
    "model.name": "transducer",
    "model.width": 48,
    "model.embedding": 24,
    "model.dropout": 0.0,
    "training.max_updates": 150,
    "training.batch_size": 16,
    "training.precision": "float32",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run."""
    folder = tmp_path_factory.mktemp("transducer") / "run"
    seq2see.train(PAIRS[20:], dev=PAIRS[:20], out=folder, settings=TINY, quiet=True)
    return folder


@pytest.fixture(scope="module")
def model(run: Path) -> seq2see.Model:
    return seq2see.load(run)


def test_it_learns_with_few_pairs(model: seq2see.Model) -> None:
    right = sum(answer.text == target for answer, (_, target) in zip(predicted(model), PAIRS[:20], strict=True))
    assert right >= 18


def predicted(model: seq2see.Model, **options: object) -> list[seq2see.Prediction]:
    return model.predict([source for source, _ in PAIRS[:20]], **options)  # type: ignore[arg-type]


def test_answers_have_no_steps(model: seq2see.Model) -> None:
    for beam in (1, 4):
        for answer in predicted(model, beam=beam, n_best=beam):
            for each in answer.all:
                assert STEP_TOKEN not in each.target_tokens
                assert each.target_tokens[-1] == "<eos>"
                assert len(each.token_log_probs) == len(each.target_tokens)
                assert math.isclose(sum(each.token_log_probs), each.log_prob, abs_tol=1e-6)
                assert each.weights is not None
                assert each.weights.shape == (len(each.target_tokens), len(each.source_tokens))
                places = each.weights.argmax(1)
                assert (np.diff(places) >= 0).all()
                assert places[-1] == len(each.source_tokens) - 1
                np.testing.assert_array_equal(each.weights.sum(1), 1)


def test_every_letter_is_aligned_with_its_sounds(model: seq2see.Model) -> None:
    [answer] = model.predict(["xacb"])
    assert answer.text == "K S A B"
    assert answer.alignment() == [(0, 0), (0, 1), (1, 2), (3, 3)]
    [attention] = model.attend(["xacb"])
    assert attention.to_dict()["alignment"] == [(0, 0), (0, 1), (1, 2), (3, 3)]
    with pytest.raises(ConfigError, match="without attention heads"):
        model.attend(["xacb"], heads=True)


def test_both_engines_give_the_same_answers(run: Path, tmp_path: Path) -> None:
    seq2see.load(run).pack(tmp_path / "m.seq2see", data=PAIRS[:20])
    one, other = (predicted(seq2see.load(tmp_path / "m.seq2see", engine=each), beam=3) for each in ("numpy", "torch"))
    for first, second in zip(one, other, strict=True):
        assert first.text == second.text
        assert abs(first.log_prob - second.log_prob) < 1e-4
        np.testing.assert_array_equal(first.weights, second.weights)


def test_a_score_is_that_of_the_search_if_the_alignment_is_the_same(model: seq2see.Model) -> None:
    answers = predicted(model)
    pairs = [(source, answer.text) for (source, _), answer in zip(PAIRS, answers, strict=False)]
    scores, aligned = model.score(pairs), model.align(pairs)
    same = 0
    for score, forced, answer in zip(scores, aligned, answers, strict=True):
        assert score.num_tokens == len(answer.target_tokens)
        assert math.isclose(score.log_prob, forced.log_prob, abs_tol=1e-4)
        assert forced.target_tokens == answer.target_tokens
        if forced.alignment() == answer.alignment():
            same += 1
            assert math.isclose(score.log_prob, answer.log_prob, abs_tol=1e-4)
    assert same >= 15


@pytest.mark.parametrize("beam", [1, 3])
def test_constraints_hold(model: seq2see.Model, beam: int) -> None:
    for answer in predicted(model, beam=beam, prefix="H H"):
        assert answer.text.startswith("H H")
        assert answer.finished
    for answer in predicted(model, beam=beam, contain=["E S E"]):
        assert "E S E" in answer.text
    for answer in predicted(model, beam=beam, forbid=["A", "K S"]):
        assert "A" not in answer.text
        assert "K S" not in answer.text
    for answer in predicted(model, beam=beam, max_length=3):
        assert len(answer.target_tokens) <= 3
        assert answer.finished
    for answer in predicted(model, beam=beam, min_length=9):
        assert len(answer.target_tokens) >= 9
    for answer in predicted(model, beam=beam, no_repeat=1):
        assert len(set(answer.target_tokens)) == len(answer.target_tokens)


def test_the_best_answers_are_different_texts(model: seq2see.Model) -> None:
    for answer in predicted(model, beam=6, n_best=3):
        texts = [each.text for each in answer.all]
        assert len(set(texts)) == len(texts)
        assert [each.log_prob for each in answer.all] == sorted((each.log_prob for each in answer.all), reverse=True)
    assert [answer.text for answer in predicted(model, beam=6)] == [
        answer.text for answer in predicted(model, beam=6, n_best=3)
    ]


def test_samples_end_at_the_end_of_the_source(model: seq2see.Model) -> None:
    for answer in predicted(model, sample=True, n_best=4, temperature=2.0):
        for each in answer.all:
            assert each.finished
            assert each.weights is not None
            assert each.weights[-1].argmax() == len(each.source_tokens) - 1


def test_a_resumed_run_is_the_same(tmp_path: Path) -> None:
    config = make_config({}, {**TINY, "training.max_updates": 60, "training.checkpoint_every": 20})

    def stop(event: Event) -> None:
        if isinstance(event, Updated) and event.update == 30:
            raise StopIteration

    pairs = [Pair(source, target) for source, target in PAIRS]
    with pytest.raises(StopIteration):
        train(config, tmp_path / "run", pairs=pairs[20:], dev_pairs=pairs[:20], callbacks=[stop], device="cpu")
    for folder, resume in (("run", True), ("whole", False)):
        train(config, tmp_path / folder, pairs=pairs[20:], dev_pairs=pairs[:20], resume=resume, device="cpu")
    one, other = ((tmp_path / folder / "model" / "model.safetensors").read_bytes() for folder in ("run", "whole"))
    assert one == other


def ambiguous(number: int) -> list[tuple[str, str]]:
    """Pairs whose alignment EM can't settle: all letters alike, with one sound fewer than letters."""
    return [("a" * length, " ".join("A" * (length - 1))) for length in range(2, 8) for _ in range(number)]


def test_another_alignment_is_read_in_every_epoch_and_a_resumed_run_goes_on_with_the_same(tmp_path: Path) -> None:
    def weights(out: str, updates: int, **options: object) -> bytes:
        settings = {**TINY, "training.max_updates": updates, "training.evaluate_every": 3, "training.batch_size": 6}
        settings |= {"training.schedule": "constant", "training.warmup": 0.0}
        sampled = {key: options.pop(key) for key in ("training.sample_alignments",) if key in options}
        pairs = ambiguous(2)
        seq2see.train(pairs, dev=pairs[:3], out=tmp_path / out, settings=settings | sampled, quiet=True, **options)
        return (tmp_path / out / "checkpoints" / f"{updates:08}" / "state.safetensors").read_bytes()

    whole = weights("whole", 6)
    assert stored_config(tmp_path / "whole").training.sample_alignments is True
    assert whole != weights("plain", 6, **{"training.sample_alignments": False})
    weights("parts", 3)
    assert weights("parts", 6, resume=True, allow_changes=True) == whole


def test_only_few_pairs_are_aligned_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**TINY, "training.max_updates": 1}
    for most, number in ((11, 2), (12, 2)):
        monkeypatch.setattr("seq2see.run.recipe.MOST_SAMPLED", most)
        out = tmp_path / str(most)
        seq2see.train(ambiguous(number), dev=ambiguous(1), out=out, settings=settings, quiet=True)
        assert stored_config(out).training.sample_alignments is (most == 12)
    bpe = {"text.source": "bpe", "text.target": "bpe", "text.bpe_dropout": 0.1}
    seq2see.train(PAIRS, dev=PAIRS[:20], out=tmp_path / "bpe", settings=settings | bpe, quiet=True)
    assert stored_config(tmp_path / "bpe").training.sample_alignments is False


def test_a_run_from_before_alignments_were_drawn_is_resumed_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "pairs.tsv"
    data.write_text("".join(f"{source}\t{target}\n" for source, target in ambiguous(2)))
    with monkeypatch.context() as before:
        before.setattr("seq2see.run.planning.choose_sampling", lambda training, *_, **__: training)
        settings = {**TINY, "training.max_updates": 1}
        seq2see.train(data, dev=data, out=tmp_path / "run", settings=settings, quiet=True)
    assert stored_config(tmp_path / "run").training.sample_alignments is None
    how = {"resume": True, "allow_changes": True, "quiet": True}
    for updates in (2, 3):
        seq2see.train(data, dev=data, out=tmp_path / "run", settings={"training.max_updates": updates}, **how)
        assert not stored_config(tmp_path / "run").training.sample_alignments


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model.name": "bidirectional"}, "has no effect on model 'bidirectional'"),
        ({"text.source": "bpe", "text.target": "bpe", "text.bpe_dropout": 0.1}, "conflicts with text.bpe_dropout"),
    ],
)
def test_alignments_that_are_not_settled_are_not_drawn(
    settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    settings = {**TINY, "training.max_updates": 1, "training.sample_alignments": True, **settings}
    with pytest.raises(ConfigError, match=message):
        seq2see.train(PAIRS, dev=PAIRS[:20], out=tmp_path / "run", settings=settings, quiet=True)
    assert not (tmp_path / "run").exists()


def test_fine_tuning_learns_new_letters(run: Path, tmp_path: Path) -> None:
    new = [(word.replace("c", "ž"), sound(word)) for word in WORDS if "c" in word and sound(word)]
    tuned = seq2see.train(
        new,
        dev=new[:10],
        out=tmp_path / "tuned",
        settings={"training.start_from": str(run), "training.max_updates": 40},
        quiet=True,
    )
    assert tuned.target_codec.aligner == seq2see.load(run).target_codec.aligner
    right = sum(
        answer.text == target for answer, (_, target) in zip(tuned.predict([s for s, _ in new]), new, strict=True)
    )
    assert right >= 0.8 * len(new)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"text.joint": True}, "unsupported by a transducer"), ({"model.score": "dot"}, "has no effect on model")],
)
def test_what_a_transducer_has_not_is_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    pairs = [(word, word.upper()) for word in WORDS]
    with pytest.raises(ConfigError, match=message):
        seq2see.train(pairs, out=tmp_path / "run", settings={**TINY, **change}, quiet=True)


def test_models_by_hand_and_prepared_corpora_have_no_transducer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="transducer"):
        seq2see.train(PAIRS, out=tmp_path / "run", engine="scratch", settings={"model.name": "transducer"}, quiet=True)
    (tmp_path / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    assert command("prepare", tmp_path / "pairs.tsv", "--out", tmp_path / "corpus").returncode == 0
    with pytest.raises(ConfigError, match="prepared corpus is unsupported"):
        seq2see.train(tmp_path / "corpus", out=tmp_path / "run", settings=TINY, quiet=True)


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seq2see", *map(str, words)], capture_output=True, text=True, check=False
    )


def test_the_command_aligns(run: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("xacb\tK S A B\nha\tH A\n")
    assert command("align", run, pairs).stdout == "0-0 0-1 1-2 3-3\n0-0 1-1\n"
    table = command("align", run, pairs, "--format", "tsv").stdout.splitlines()
    assert table[0].split("\t") == ["1", "0", "K", "0", "x", "1.000000"]
    assert len(table) == 6
    found = command("align", run, pairs, "--format", "jsonl", "-o", tmp_path / "a.jsonl")
    assert found.returncode == 0
    assert '"alignment": [[0, 0], [1, 1]]' in (tmp_path / "a.jsonl").read_text()
    nothing = command("align", run)
    assert (nothing.returncode, "no pairs were given" in nothing.stderr) == (2, True)
    long = tmp_path / "long.tsv"
    long.write_text("xacb\tK S A B\n" + "a" * 20 + "\tA\n")
    found = command("align", run, long, "--max-input-length", 9)
    assert (found.returncode, found.stdout) == (2, "0-0 0-1 1-2 3-3\n\n")
    assert "long.tsv:2" in found.stderr


def test_targets_with_line_breaks_are_learned(tmp_path: Path) -> None:
    pairs = [(source, target.replace(" ", "\n")) for source, target in PAIRS]
    settings = {"text.target": "characters", "training.max_updates": 2, "model.width": 16}
    model = seq2see.train(pairs, dev=pairs[:9], out=tmp_path / "run", settings=settings, quiet=True)
    assert model.name == "transducer"
    assert "\n" in model.target_codec.vocabulary.tokens


def test_steps_do_not_count_as_length(model: seq2see.Model) -> None:
    for answer in predicted(model, beam=4, length_penalty=1.0):
        assert math.isclose(answer.score, answer.log_prob / ((5 + len(answer.target_tokens)) / 6), rel_tol=1e-6)
    with pytest.raises(ConfigError, match="has no effect on a transducer"):
        predicted(model, beam=4, coverage_penalty=0.5)


def test_transducers_with_other_alignments_answer_together(run: Path, tmp_path: Path) -> None:
    rest = PAIRS[20:]
    swapped = [(source, rest[number ^ 1][1] if number < 10 else target) for number, (source, target) in enumerate(rest)]
    seq2see.train(swapped, dev=PAIRS[:20], out=tmp_path / "run", settings={**TINY, "training.seed": 2}, quiet=True)
    one, other = seq2see.load(run), seq2see.load(tmp_path / "run")
    assert one.target_codec.vocabulary == other.target_codec.vocabulary
    assert one.target_codec.aligner != other.target_codec.aligner
    together = seq2see.load([run, tmp_path / "run"])
    right = sum(answer.text == target for answer, (_, target) in zip(predicted(together), PAIRS, strict=False))
    assert right >= 18
    with pytest.raises(ConfigError, match="an ensemble has no alignment"):
        together.align(PAIRS[:2])


def test_a_model_without_its_alignment_is_refused(run: Path, tmp_path: Path) -> None:
    saved = load_model(run)
    for name, changed in {
        "lost": saved._replace(target_codec=replace(saved.target_codec, aligner=None)),
        "plain": saved._replace(config={**saved.config, "model": {**saved.config["model"], "name": "peeky"}}),
        "both": saved._replace(source_codec=saved.target_codec),
    }.items():
        write_packed(tmp_path / f"{name}.seq2see", changed)
        with pytest.raises(CheckpointError, match="alignment"):
            seq2see.load(tmp_path / f"{name}.seq2see")


def test_decomposed_targets_take_no_constraints_on_their_spelling(tmp_path: Path) -> None:
    syllables = [chr(number) for number in range(0xAC00, 0xAC00 + 60)]
    pairs = [(str(number), syllable) for number, syllable in enumerate(syllables)]
    settings = {"text.target": "decomposed", "training.max_updates": 1, "model.width": 16, "model.name": "attention"}
    model = seq2see.train(pairs, dev=pairs[:9], out=tmp_path / "run", settings=settings, quiet=True)
    for option in ({"prefix": "가"}, {"contain": ["가"]}, {"forbid": ["가"]}):
        with pytest.raises(ConfigError, match="unsupported for decomposed targets"):
            model.predict("1", **option)
    assert model.predict("1", max_length=4, min_length=2)[0].target_tokens


def test_the_longest_pair_is_said_in_tokens_without_steps(tmp_path: Path) -> None:
    long = ("ab" * 300, "A " * 99 + "A")
    printed = io.StringIO()
    pairs = [Pair(*pair) for pair in [*PAIRS, long]]
    config = make_config({}, {**TINY, "training.max_updates": 1})
    train(config, tmp_path / "run", pairs=pairs, dev_pairs=pairs[:9], device="cpu", console=Console(file=printed))
    assert "600 × 100 tokens" in " ".join(printed.getvalue().split())


def test_its_top_tokens_are_tokens_and_no_steps(model: seq2see.Model) -> None:
    for answer in model.predict([source for source, _ in PAIRS[:9]], beam=3, n_best=2, top_tokens=3):
        for each in answer.all:
            assert len(each.top_tokens) == len(each.target_tokens)
            for choices in each.top_tokens:
                assert len(choices) == 3
                assert STEP_TOKEN not in [choice.token for choice in choices]
            assert each.target_tokens[-1] in [choice.token for choice in each.top_tokens[-1]]  # EOS


def test_the_steps_of_its_beam_name_the_moves_along_the_source(model: seq2see.Model) -> None:
    (answer,) = model.predict(PAIRS[0][0], beam=3, beam_steps=True)
    tokens = {each.token for step in answer.beam_steps for each in step}
    assert "<step>" in tokens
    assert STEP_TOKEN not in tokens


@pytest.mark.parametrize("loss", [None, "coverage", "guided_attention"])
def test_a_loss_of_attention_is_a_reason_to_choose_a_model_with_attention(loss: str | None, tmp_path: Path) -> None:
    settings = {key: value for key, value in TINY.items() if key != "model.name"} | {"training.max_updates": 1}
    if loss:
        settings[f"training.{loss}"] = 1.0
    found = seq2see.train(PAIRS[20:], dev=PAIRS[:20], out=tmp_path / "run", settings=settings, quiet=True)
    assert found.name == ("bidirectional" if loss else "transducer")
