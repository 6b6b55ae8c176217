"""CTranslate2: answers of a Transformer, with the random weights of Seq2See's, exported."""

from __future__ import annotations

import ctranslate2
from protocol import Given, Task, UnableError, Work, require_float32, serve

import seq2see

given = Given()


def answer(task: Task) -> Work:
    """Its translator, on lists of tokens."""
    if task["model"] == "lstm":
        raise UnableError("has no LSTM")
    require_float32(task)
    exported = given.folder / "transformer.ctranslate2"
    if not exported.exists():
        sources, targets = (given.tokens[side][:4] for side in ("source", "target"))
        data = [(" ".join(source), " ".join(target)) for source, target in zip(sources, targets, strict=True)]
        seq2see.load(given.folder / "transformer", engine="numpy").export(exported, weights="float32", data=data)
    translator = ctranslate2.Translator(
        str(exported), device="cpu", compute_type="float32", inter_threads=1, intra_threads=given.threads
    )

    def translate(amount: int) -> None:
        found = translator.translate_batch(
            given.sources(amount),
            max_batch_size=task["batch"],
            beam_size=task["beam"],
            min_decoding_length=given.length,
            max_decoding_length=given.length,
        )
        given.require_length([len(each.hypotheses[0]) for each in found])

    return Work(translate)


if __name__ == "__main__":
    serve({"answer": answer})
