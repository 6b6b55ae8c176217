"""CTranslate2: answers of a Transformer, with the random weights of Seq2See's, exported."""

from __future__ import annotations

import ctranslate2
from protocol import Given, Task, UnableError, Work, serve

import seq2see

given = Given()


def answer(task: Task) -> Work:
    """Its translator, on lists of tokens."""
    if task["model"] == "lstm":
        raise UnableError("has no LSTM")
    if task["precision"] not in ctranslate2.get_supported_compute_types("cpu"):
        raise UnableError(f"has no {task['precision']} on this processor")
    exported = given.folder / "transformer.ctranslate2"
    if not exported.exists():
        model = seq2see.load(given.folder / "transformer", engine="numpy")
        model.export(exported, weights="float32", data=given.pairs(4))
    translator = ctranslate2.Translator(
        str(exported), device="cpu", compute_type=task["precision"], inter_threads=1, intra_threads=given.threads
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

    return Work(translate, task["precision"])


if __name__ == "__main__":
    serve({"answer": answer})
