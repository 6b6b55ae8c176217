"""The facts about a run that advice depends on, from its configuration and its model."""

from __future__ import annotations

from seq2see.blueprint import Blueprint
from seq2see.config import Config
from seq2see.run.usual_updates import usual_updates
from seq2see.text import SUBWORD_UNITS, Codec, Codecs
from seq2see.text.building import vocabulary_limits
from seq2see.text.options import TextOptions
from seq2see.training.setup import Setup, Unit

SELF_ATTENDING_ENCODERS = ("transformer", "transformer_lstm")
"""Architectures whose encoder sees the whole source at every position."""


def setup_of(config: Config, model: Blueprint, codecs: Codecs, *, num_pairs: int, has_attention: bool) -> Setup:
    """The setup of a run with this configuration and this model."""
    source, target = codecs
    training = config.training
    sides = {"target": target} if source is None else {"source": source, "target": target}
    is_recurrent_both = model.direction == "both" and model.name not in SELF_ATTENDING_ENCODERS
    heads_step = model.heads * (2 if model.positions == "rotary" else 1) if "former" in model.name else 1
    return Setup(
        name=model.name,
        has_source=source is not None,
        has_attention=has_attention,
        reads_both_ways=is_recurrent_both or model.name in SELF_ATTENDING_ENCODERS,
        is_fixed=training.start_from is not None,
        width=model.width,
        width_step=heads_step * (2 if heads_step % 2 else 1),
        layers=model.decoder_layers if model.encoder_layers == model.decoder_layers else None,
        dropout=model.dropout,
        rate=training.rate or Setup.rate,
        clip=training.clip,
        patience=training.patience,
        max_updates=training.max_updates or 0,
        usual_updates=usual_updates(num_pairs) if num_pairs and not training.start_from else 0,
        units={side: unit_of(codec, config.text) for side, codec in sides.items()},
        is_joint=config.text.joint,
    )


def unit_of(codec: Codec, options: TextOptions) -> Unit:
    """How a side is split, and what limits its vocabulary."""
    name = codec.tokenizer.name
    min_count = 1 if name in SUBWORD_UNITS else int(vocabulary_limits(options, name)["min_count"])
    return Unit(name, min_count, len(codec.vocabulary) >= options.max_vocabulary)
