"""Training with PyTorch: `--engine torch`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch

from seq2see.config import Config
from seq2see.inference.predictor import Predictor
from seq2see.inference.torch_engine import TorchEngine
from seq2see.model import Seq2Seq, build, max_positions
from seq2see.run.checkpoint_content import require_fitting
from seq2see.run.denoising import warm_up
from seq2see.run.dev import StoppableEngine, evaluate_on_dev
from seq2see.run.embeddings import embed, frozen_rows, require_same_vectors
from seq2see.run.fine_tune import initial_state
from seq2see.run.folder import CHECKPOINTS, naming_what_remains
from seq2see.run.network_trainer import TrainingJob
from seq2see.run.plan import RunPlan
from seq2see.run.resume import RunContext
from seq2see.run.setup import setup_of
from seq2see.run.state import save_state, to_numpy
from seq2see.training import (
    INTERRUPTED,
    DevEvaluation,
    Finished,
    Trainer,
    TrainingState,
    choose_precision,
    require_precision,
)

MIN_DEV_PAIRS_TO_STOP = 100
"""Training stops early on a dev set without mistakes only if it has this many pairs; fewer can be right by luck."""


class TorchTrainer:
    """Trains a `Seq2Seq`; supports every option."""

    def require_supported(
        self, config: Config, given: Collection[str], *, device: str, resume_flag: str, num_processes: int
    ) -> None:
        """Nothing is unsupported."""

    def preset(self, config: Config) -> Config:
        """No option has a fixed value."""
        return config

    def complete(self, plan: RunPlan, context: RunContext) -> RunPlan:
        """The plan with the precision that rank 0 chose."""
        config = plan.config
        if config.training.precision == "auto":
            precision = context.world.from_first(choose_precision(context.device, plan.blueprint))
            config = replace(config, training=replace(config.training, precision=precision))
        return replace(plan, config=config)

    def build(self, plan: RunPlan, context: RunContext) -> Seq2Seq:
        """The network on the CPU. ConfigError if the processor can't train it in this precision."""
        torch.manual_seed(plan.config.training.seed)
        network = build(plan.blueprint, plan.sizes)
        embed(network, plan.embedded)
        require_precision(plan.config.training.precision, context.device, network)
        return network

    def description(self, plan: RunPlan, context: RunContext) -> str:
        """Precision and device."""
        return f"{plan.config.training.precision} on {context.device}"

    def warm_up(self, network: Seq2Seq, job: TrainingJob) -> bool:
        """Train on the texts without pairs, if there are any; False if that was interrupted."""
        plan = job.plan
        if not plan.also:
            return True
        training = plan.config.training
        return warm_up(network, plan.blueprint, plan.codecs, plan.also, training, plan.embedded, job.context, job.stop)

    def run(self, network: Seq2Seq, job: TrainingJob) -> Finished:
        """Train from the resumed state, from the pretrained model, or from the initial values."""
        context, plan, unknown = job.context, job.plan, job.plan.unknown_on_dev

        def evaluate(network: Seq2Seq) -> DevEvaluation:
            # A model to fine-tune is evaluated to the end: what it scores decides what is kept.
            engine = StoppableEngine(
                network,
                lambda: trainer.progress.update > 0 and job.stop(),
                max_positions=max_positions(plan.blueprint),
            )
            training = plan.config.training
            model = Predictor(engine, *plan.codecs, max_length=plan.max_length, no_repeat=training.no_repeat)
            found = evaluate_on_dev(model, plan.dev, context.world, training.metric or "loss")
            return found._replace(unknown=unknown)

        def save_checkpoint(state: TrainingState) -> None:
            with naming_what_remains(context.folder):
                save_state(
                    context.folder,
                    state,
                    plan.codecs,
                    job.fingerprint,
                    plan.config,
                    plan.max_length,
                    plan.seen,
                    plan.record,
                    processes=context.world.size,
                )

        state = job.resumed
        if state:
            shapes = {name: tensor.shape for name, tensor in network.tensors().items()}
            require_fitting(state, shapes, where=str(context.folder / CHECKPOINTS))
            require_same_vectors(network, plan.embedded, state.model)
        if job.pretrained:
            state = initial_state(job.pretrained, network)
        if state is None and not self.warm_up(network, job):
            return Finished(0, INTERRUPTED, 0, {}, 0.0)
        freezes = plan.config.training.freeze_embeddings
        trainer = Trainer(
            network,
            plan.examples,
            plan.config.training,
            device=context.device,
            evaluate=evaluate,
            save_best=lambda network, progress: job.save_best(to_numpy(network.tensors()), progress),
            save_checkpoint=save_checkpoint,
            callback=job.callback,
            stop=job.stop,
            stop_when_perfect=len(plan.dev) >= MIN_DEV_PAIRS_TO_STOP,
            epoch_examples=plan.epoch_examples,
            world=context.world,
            workers=plan.config.data.workers,
            frozen=frozen_rows(network, plan.embedded) if freezes else {},
            setup=setup_of(
                plan.config,
                plan.blueprint,
                plan.codecs,
                num_pairs=len(plan.data.train),
                has_attention=TorchEngine(network).has_attention,
            ),
        )
        if state:
            trainer.restore(state)
        if job.resumed:
            context.say(f"resuming after update {job.resumed.progress['update']:,}")
        if job.is_changed:
            trainer.save()  # so that the run, resumed once more, is known to be as it is now
        return trainer.run(evaluate_first=job.pretrained is not None)
