"""The ladder: each architecture is one function that puts the layers together as its figure shows.

E embedding, W width; a decoder's layers are listed in the order in which the stream passes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from peeky.errors import ConfigError, did_you_mean
from peeky.model.encoder import BothWays, Encoder, EncoderLayer, NoSource, OneWay, ResidualEncoding
from peeky.model.initialize import initialize
from peeky.model.options import Blueprint, ModelOptions
from peeky.model.readers import SCORES, Attend, Peek, Score
from peeky.model.recurrent import Recurrent
from peeky.model.seq2seq import Decoder, Seq2Seq
from peeky.model.stream import Layer
from peeky.model.wiring import Concat, Dense, InputFeeding, ReadContext, Residual, Stack


class Sizes(NamedTuple):
    """Numbers of tokens in the two vocabularies; a language model has no source."""

    source: int
    target: int


def plain(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The encoder's last state starts the decoder, and that is all it sees (Sutskever et al. 2014)."""
    return Seq2Seq(encoder(o, sizes), decoder(o, sizes, recurrent(o)))


def reverse(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`plain` with an encoder that reads backward, so that the first words lie close (Sutskever et al. 2014, 3.3)."""
    return plain(o, sizes)


def peeky(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The encoder's last h goes into every LSTM and into the output layer, at every step (Cho et al. 2014)."""
    first = ReadContext(Recurrent(o.embedding + o.width, o.width, o.dropout))
    above = [ReadContext(Recurrent(2 * o.width, o.width, o.dropout)) for _ in range(1, o.layers)]
    return Seq2Seq(encoder(o, sizes), decoder(o, sizes, [Peek(), first, *above, Concat()], output_width=2 * o.width))


def attention(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The decoder's state looks at the source; what it sees joins it on the way to the output (Luong et al. 2015)."""
    return Seq2Seq(encoder(o, sizes), decoder(o, sizes, [*recurrent(o), *look(o)]))


def bidirectional(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` over an encoder that reads both ways (Schuster & Paliwal 1997; Bahdanau et al. 2014)."""
    return attention(o, sizes)


def stacked(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` with several LSTMs one above the other on each side."""
    return attention(o, sizes)


def residual(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`stacked`, each layer from the second on adding to what it was given (He et al. 2015)."""
    first, *above = recurrent(o)
    layers = [first, *(Residual(layer) for layer in above), *look(o)]
    return Seq2Seq(encoder(o, sizes, residual_from=1), decoder(o, sizes, layers))


def gnmt(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """The bottom decoder layer looks, all layers above read what it saw (Wu et al. 2016, figure 1).

    The encoder's bottom layer reads both ways, the others forward; from the third layer on, each adds to what it was
    given, on both sides. Unlike in the paper, the bottom decoder layer itself is not fed the previous context: that
    would need a loop over time.
    """
    bottom, *_ = recurrent(o)
    above = [ReadContext(Recurrent(2 * o.width, o.width, o.dropout)) for _ in range(1, o.layers)]
    layers = [bottom, Attend(score(o)), above[0], *(Residual(layer) for layer in above[1:])]
    return Seq2Seq(encoder(o, sizes, one_way_from=1, residual_from=2), decoder(o, sizes, layers))


def input_feeding(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """`attention` whose attentional state is also an input of the next step (Luong et al. 2015, 3.3)."""
    step = Stack(*recurrent(o, o.embedding + o.width), *look(o))
    return Seq2Seq(encoder(o, sizes), decoder(o, sizes, [InputFeeding(step, o.width)]))


def language_model(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A decoder without a source: each token from those before it (Mikolov et al. 2010)."""
    return Seq2Seq(NoSource(o.width), decoder(o, sizes, recurrent(o)))


def encoder(
    o: Blueprint, sizes: Sizes, *, one_way_from: int | None = None, residual_from: int | None = None
) -> Encoder:
    """`o.layers` recurrent layers; above the given heights reading forward only, or adding to their input."""
    layers: list[EncoderLayer] = []
    for height in range(o.layers):
        input_width = o.width if height else o.embedding
        if one_way_from is not None and height >= one_way_from:
            layer: EncoderLayer = OneWay(input_width, o.width, o.dropout)
        elif o.direction == "both":
            layer = BothWays(input_width, o.width, o.dropout, merge=o.merge)
        else:
            layer = OneWay(input_width, o.width, o.dropout, backward=o.direction == "backward")
        layers.append(ResidualEncoding(layer) if residual_from is not None and height >= residual_from else layer)
    return Encoder(sizes.source, o.embedding, layers, o.dropout)


def decoder(o: Blueprint, sizes: Sizes, layers: list[Layer], output_width: int | None = None) -> Decoder:
    """A decoder of these layers, the last of which is `output_width` (else W) wide."""
    return Decoder(sizes.target, o.embedding, layers, output_width or o.width, o.dropout)


def recurrent(o: Blueprint, input_width: int | None = None) -> list[Layer]:
    """`o.layers` LSTMs, the first reading `input_width` (else E)."""
    widths = [input_width or o.embedding] + [o.width] * (o.layers - 1)
    return [Recurrent(width, o.width, o.dropout) for width in widths]


def look(o: Blueprint) -> list[Layer]:
    """Attention, and the attentional state made of x and context."""
    return [Attend(score(o)), ReadContext(Dense(2 * o.width, o.width, o.dropout))]


def score(o: Blueprint) -> Score:
    """The chosen score function; queries and source states are both W wide."""
    return SCORES[o.score](o.width, o.width)


@dataclass(frozen=True)
class Architecture:
    """A rung of the ladder: how it is built, what it fixes, what it takes where nothing is said."""

    build: Callable[[Blueprint, Sizes], Seq2Seq]
    summary: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fewest_layers: int = 1
    has_source: bool = True
    looks: bool = True
    """Whether there is attention, and so a score."""

    def unused(self, o: Blueprint) -> set[str]:
        """The options that change nothing in such a model."""
        unused = set() if self.looks else {"score"}
        return unused if self.has_source and o.direction == "both" else unused | {"merge"}


ARCHITECTURES: dict[str, Architecture] = {
    "plain": Architecture(
        plain, "the encoder's last state starts the decoder", {}, {"direction": "forward"}, looks=False
    ),
    "reverse": Architecture(reverse, "plain, the source read backward", {"direction": "backward"}, looks=False),
    "peeky": Architecture(
        peeky, "the encoder's last state seen at every step", {}, {"direction": "forward"}, looks=False
    ),
    "attention": Architecture(attention, "looks at the source at every step", {}, {"direction": "forward"}),
    "bidirectional": Architecture(bidirectional, "attention over a source read both ways", {"direction": "both"}),
    "stacked": Architecture(stacked, "several LSTMs a side, attention", {}, {"direction": "both", "layers": 2}, 2),
    "residual": Architecture(
        residual, "stacked, each layer adding to what it was given", {}, {"direction": "both", "layers": 3}, 2
    ),
    "gnmt": Architecture(
        gnmt, "attention at the bottom, its context to all layers above", {"direction": "both"}, {"layers": 4}, 2
    ),
    "input_feeding": Architecture(
        input_feeding, "attention whose result goes into the next step", {}, {"direction": "both"}
    ),
    "language_model": Architecture(
        language_model, "no source: continues text", {"direction": "forward"}, has_source=False, looks=False
    ),
}
"""Every architecture by name, in the order in which one learns them."""


DEFAULT = "bidirectional"
"""What suits most pairs, where nobody has said."""


def find(name: str) -> Architecture:
    """The architecture of that name; ConfigError with the nearest one if there is none."""
    if name not in ARCHITECTURES:
        raise ConfigError(f"there is no model {name!r}", where="model.name", fix=did_you_mean(name, ARCHITECTURES))
    return ARCHITECTURES[name]


def resolve(options: ModelOptions) -> Blueprint:
    """The options with every gap filled by the architecture; ConfigError for what the architecture can't be."""
    name = options.name or DEFAULT
    architecture = find(name)
    for key, value in architecture.fixed.items():
        if getattr(options, key) not in (None, value):
            raise ConfigError(
                f"{getattr(options, key)!r} is at odds with model {name!r}, whose {key} is {value!r}",
                where=f"model.{key}",
                fix=f"leave model.{key} out, or choose another model (`peeky models` lists them)",
            )
    given = {key: value for key, value in asdict(options).items() if value is not None}
    usual: dict[str, Any] = {"width": 256, "layers": 1, "merge": "concat", "score": "scaled_dot"}
    o = Blueprint(**(usual | dict(architecture.defaults) | dict(architecture.fixed) | given | {"name": name}))
    for key in architecture.unused(o) & set(given):
        raise ConfigError(
            f"model {name!r} with direction {o.direction!r} makes no use of it",
            where=f"model.{key}",
            fix="leave it out",
        )
    if o.layers < architecture.fewest_layers:
        raise ConfigError(
            f"model {name!r} needs at least {architecture.fewest_layers} layers, not {o.layers}",
            where="model.layers",
            fix=f"set model.layers={architecture.fewest_layers}, or choose model 'bidirectional' for one layer",
        )
    if o.direction == "both" and o.merge == "concat" and o.width % 2:
        raise ConfigError(
            f"a width of {o.width} can't be shared by two directions",
            where="model.width",
            fix=f"set an even width ({o.width + 1}), or model.merge=sum",
        )
    return o


def to_options(o: Blueprint) -> ModelOptions:
    """What a person would set to get this model, nothing left open that changes it."""
    unused = ARCHITECTURES[o.name].unused(o)
    return ModelOptions(**{key: value for key, value in asdict(o).items() if key not in unused})


def build(o: Blueprint, sizes: Sizes) -> Seq2Seq:
    """A new model with fresh initial values, drawn from torch's global generator."""
    model = ARCHITECTURES[o.name].build(o, sizes)
    initialize(model)
    return model
