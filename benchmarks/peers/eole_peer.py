"""eole (the successor of OpenNMT-py): its own batches, trainer and inference engine, called as its commands call them.

The LSTM is trained without input feeding, eole's default, so that the model is the same as the others'.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch
from eole.config.run import PredictConfig, TrainConfig
from eole.constants import CorpusTask
from eole.inference_engine import InferenceEnginePY
from eole.inputters.dynamic_iterator import build_dynamic_dataset_iter
from eole.models.model import get_model_class
from eole.models.model_saver import build_model_saver
from eole.train_single import TrainingInitializer, configure_process
from eole.trainer import Trainer, build_trainer
from eole.utils import Statistics
from eole.utils.optimizers import Optimizer
from protocol import Given, Task, Work, require_float32, serve

CPU = -1
given = Given()


def model_options(model: str) -> dict[str, Any]:
    """The sizes of a model, in eole's words."""
    sizes = given.sizes
    width = sizes["width"]
    if model == "lstm":
        return {
            "architecture": "rnn",
            "layers": 1,
            "hidden_size": width,
            "word_vec_size": sizes["embedding"],
            "input_feed": 0,
            "decoder": {"global_attention": "dot"},
        }
    return {
        "architecture": "transformer",
        "layers": sizes["layers"],
        "hidden_size": width,
        "word_vec_size": width,
        "heads": sizes["heads"],
        "transformer_ff": 4 * width,
        "embeddings": {"position_encoding": True},
    }


def trainer_of(task: Task) -> tuple[Trainer, Any]:
    """A trainer, and its batches."""
    files = {"path_src": str(given.folder / "train.source"), "path_tgt": str(given.folder / "train.target")}
    initializer = TrainingInitializer(
        TrainConfig(
            src_vocab=str(given.folder / "source.vocabulary"),
            tgt_vocab=str(given.folder / "target.vocabulary"),
            data={"corpus": files},
            seed=1,
            report_every=10**9,
            model=model_options(task["model"]),
            training={
                "model_path": str(given.folder / f"eole_{task['model']}"),
                "batch_size": task.get("batch", 1),
                "batch_type": "sents",
                "bucket_size": given.facts["pairs"],  # the default repeats a small corpus, and drops what is repeated
                "num_workers": 0,  # batches are made in this process, so that their CPU time counts
                "optim": "adam",
                "learning_rate": 1e-3,
                "max_grad_norm": 1.0,
                "dropout": [0.0],
                "attention_dropout": [0.0],
            },
        )
    )
    configure_process(initializer.config, CPU)
    context = initializer.initialize()
    config, vocabularies = context.config, context.vocabs
    model = get_model_class(config.model).for_training(config.model, vocabularies, config.training, device_id=CPU)
    optimizer = Optimizer.from_config(model, config)
    saver = build_model_saver(config, model, vocabularies, optimizer, CPU, context.transforms)
    trainer = build_trainer(config, CPU, model, vocabularies, optimizer, model_saver=saver)
    batches = build_dynamic_dataset_iter(
        config, context.transforms, vocabularies, task=CorpusTask.TRAIN, stride=1, offset=0, device_id=CPU
    )
    return trainer, batches


def train(task: Task) -> Work:
    """Updates of its trainer."""
    require_float32(task)
    trainer, batches = trainer_of(task)
    numbered = enumerate(trainer._accum_batches(batches), start=1)

    def update(amount: int) -> None:
        for step, (collected, normalization) in islice(numbered, amount):
            trainer._train_step(collected, normalization, Statistics(), Statistics(), step=step)

    return Work(update)


def answer(task: Task) -> Work:
    """Its inference engine on a list of texts."""
    if task["precision"] != "bfloat16":
        require_float32(task)
    path = given.folder / f"eole_{task['model']}"
    if not (path / "config.json").exists():
        trainer, _ = trainer_of(task)
        with torch.no_grad():
            trainer.model.generator.bias[:4] = -30  # special tokens, which a trained model hardly ever writes
        trainer.model_saver.save(1)
    engine = InferenceEnginePY(
        PredictConfig(
            model_path=str(path),
            src="dummy",
            batch_size=task["batch"],
            batch_type="sents",
            beam_size=task["beam"],
            min_length=given.length,
            max_length=given.length,
            max_length_ratio=0,
            compute_dtype={"float32": "fp32", "bfloat16": "bf16"}[task["precision"]],
        )
    )

    def predict(amount: int) -> None:
        _, _, answers = engine.infer_list([" ".join(source) for source in given.sources(amount)])
        given.require_length([len(best.split()) for best, *_ in answers])

    return Work(predict, task["precision"])


if __name__ == "__main__":
    serve({"train": train, "answer": answer})
