"""A model's programs, recorded by running its NumPy network once on symbolic arrays.

What a step carries is what the network's own `select` picks rows of: the search selects it between two steps, so
everything else is room to work in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np

from seq2see.blueprint import Blueprint, Field
from seq2see.errors import ConfigError
from seq2see.program.graph import Graph
from seq2see.program.operations import Shape, Type
from seq2see.program.program import CARRY, IDS, LENGTHS, LOG_PROBS, READING, WEIGHTS, Programs
from seq2see.program.sizes import AnySize, Size
from seq2see.program.symbolic import Symbol, node_of
from seq2see.runtime import Network, State, build
from seq2see.runtime.encoder import AddTags, EncoderRNN, Padded, RecurrentEncoder, TransformerEncoder
from seq2see.runtime.mixtures import Copying
from seq2see.runtime.network import layers_in
from seq2see.runtime.positions import AddPositions, LearnedPositions, RotaryPositions, SinusoidalPositions, angles
from seq2see.runtime.recurrent import GRUCell
from seq2see.runtime.stream import Memory, RecurrentState
from seq2see.runtime.transformer import MultiHeadSelfAttention

B, K, S, P = (cast(Any, Size({(name,): 1})) for name in "BKSP")
ROWS = B * K


def trace(
    blueprint: Blueprint, shapes: Mapping[str, Shape], fields: Sequence[Field] = (), copies: Sequence[int] = ()
) -> Programs:
    """The programs of a model whose tensors have these names and shapes; no value of a tensor is needed.

    `fields` and `copies` are those of `Sizes`.

    ConfigError for a model that reads numbers or pictures, which programs don't.
    """
    if any(field.has_values for field in fields):
        what = "unsupported for sources of vectors or pictures"
        raise ConfigError(what, where="export", fix="ship such a model with seq2see pack, which NumPy runs")
    graph = Graph()
    tensors = {name: Symbol(graph, graph.leaf("weight", name, Type("float", shape))) for name, shape in shapes.items()}
    network = build(blueprint, cast(Any, tensors), fields, copies)
    make_tables_symbolic(graph, network)

    def given(name: str, dtype: str, *shape: AnySize) -> Any:
        return Symbol(graph, graph.leaf("input", name, Type(dtype, shape)))

    source = SymbolicSource(given(IDS, "int", B, S), given(LENGTHS, "int", B))
    state = network.reading(encode(network, source))
    sentences, rows = Selection(graph, READING, B), Selection(graph, CARRY, ROWS)
    state = State(state.reading.select(cast(Any, sentences)), state.carry.select(cast(Any, rows)), P)
    log_probs, state, weights = network.step(given(IDS, "int", ROWS), state)
    after = Selection(graph, "", ROWS)
    state.carry.select(cast(Any, after))

    outputs = {LOG_PROBS: cast(Symbol, log_probs).node}
    if weights is not None:
        outputs[WEIGHTS] = cast(Symbol, weights).node
    step_outputs, needed = with_carries(graph, outputs, rows, after)
    first = {name: node for name, node in {**sentences.first(), **rows.first()}.items() if name in needed}
    return Programs(*graph.programs(first, step_outputs))


def with_carries(
    graph: Graph, outputs: dict[str, int], before: Selection, after: Selection
) -> tuple[dict[str, int], set[str]]:
    """The outputs with those carries that they depend on, directly or by way of others; the names of all inputs."""
    following = dict(zip(before.first(), after.taken, strict=True))
    while True:
        inputs = {graph.attributes(number)["name"] for number in graph.inputs_of(outputs.values())}
        more = {name: node for name, node in following.items() if name in inputs and name not in outputs}
        if not more:
            return outputs, inputs
        outputs = outputs | more


class Selection(Symbol):
    """Rows that a search selects: what it is applied to is an input of the step, or with no `prefix` its result."""

    def __init__(self, graph: Graph, prefix: str, rows: AnySize) -> None:
        super().__init__(graph, graph.leaf("input", f"{prefix}rows", Type("int", (rows,))))
        self.prefix = prefix
        self.taken: list[int] = []

    def selected_from(self, table: Symbol, axis: int) -> Symbol:
        """The input that the selected rows are; an axis without elements at first is that of the positions so far."""
        name = f"{self.prefix}{len(self.taken)}"
        self.taken.append(table.node)
        if not self.prefix:
            return table
        sizes = [P if size == 0 else size for size in table.shape]
        sizes[axis] = self.shape[0]
        return Symbol(self.graph, self.graph.leaf("input", name, Type(self.graph.type(table.node).dtype, tuple(sizes))))

    def first(self) -> dict[str, int]:
        """The value of each before any step."""
        return {f"{self.prefix}{number}": node for number, node in enumerate(self.taken)}


# --- the encoder


class SymbolicSource(Padded):
    """A batch with padding, as far as is known."""

    @property
    def mask(self) -> Any:
        """See `Padded`."""
        return np.arange(self.ids.shape[1], like=self.lengths) < self.lengths[:, None]


def encode(network: Network, source: SymbolicSource) -> Memory:
    """The source as the network reads it. A recurrent encoder sorts its rows for speed, which changes no value."""
    if not isinstance(network.encoder, RecurrentEncoder):
        return network.encoder(source)
    states: Any = None
    finals, tag_states = [], network.encoder.tag_states
    read = source if tag_states is None else source._replace(ids=tag_states.without_tags(source.ids))
    for layer in network.encoder.layers:
        states, final = read_layer(layer, read, states)
        finals.append(final)
    if tag_states is not None:
        states = tag_states.with_own(states, source.ids)
    return Memory(states, source.mask, tuple(finals), source.ids)


def read_layer(layer: EncoderRNN, source: SymbolicSource, x: Any) -> tuple[Any, RecurrentState]:
    """What `EncoderRNN` computes, with one operation per direction."""
    if layer.tables:
        shares: list[Any] = [table[source.ids] for table in layer.tables]
        if layer.fields is not None:
            numbers = layer.fields.numbers(source.ids)
            shares = [each + share[numbers] for each, share in zip(shares, layer.field_shares, strict=True)]
    else:
        x = layer.embedded(source) if x is None else x
        shares = [x @ gates.inputs + gates.bias for gates in layer.gates]
    length = source.ids.shape[1]
    found = []
    for share, gates, backward in zip(shares, layer.gates, layer.backward, strict=True):
        nodes = [cast(Symbol, each).node for each in (share, source.lengths, gates.hidden)]
        kind = "gru" if layer.cell is GRUCell else "lstm"
        found.append(cast(Any, Symbol(share.graph, share.graph.add(kind, *nodes, reverse=backward))))
    last = length if layer.cell is GRUCell else length + 1
    each = [(read[:, :length], read[:, length], read[:, last]) for read in found]
    states, h, c = each[0] if len(each) == 1 else (layer.merged(*both) for both in zip(*each, strict=True))
    return states + x if layer.residual and x is not None else states, (h, c)


# --- tables, of positions and of what isn't learned


def make_tables_symbolic(graph: Graph, network: Network) -> None:
    """Make the tables that ids select from symbolic; those of positions, which have some length, give any row."""
    encoder = network.encoder
    fields = None
    if isinstance(encoder, TransformerEncoder):
        if encoder.positions is not None:
            encoder.positions = cast(Any, SymbolicPositions(graph, encoder.positions))
        fields = encoder.fields
    elif isinstance(encoder, RecurrentEncoder):
        fields = encoder.layers[0].fields
    if isinstance(encoder, RecurrentEncoder | TransformerEncoder) and encoder.tag_states is not None:
        of_tags = encoder.tag_states.fields
        of_tags.is_tags = cast(Any, Symbol(graph, node_of(graph, of_tags.is_tags)))
    if fields is not None:
        fields.is_ordered = cast(Any, Symbol(graph, node_of(graph, fields.is_ordered)))
    blocks = [encoder.layers] if isinstance(encoder, TransformerEncoder) else []
    for part in chain.from_iterable(map(layers_in, [network.decoder, *blocks])):
        if isinstance(part, AddPositions):
            part.encoding = cast(Any, SymbolicPositions(graph, part.encoding))
        elif isinstance(part, MultiHeadSelfAttention) and part.rotary is not None:
            part.rotary = SymbolicRotation(graph, part.rotary)
        elif isinstance(part, AddTags):
            part.fields.is_tags = cast(Any, Symbol(graph, node_of(graph, part.fields.is_tags)))
        elif isinstance(part, Copying):
            part.targets = cast(Any, Symbol(graph, node_of(graph, part.targets)))


class SymbolicTable:
    """A table of which any row is computed from its number."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            numbers = self.graph.add("range", start=index.start or 0, stop=index.stop)
        else:
            numbers = node_of(self.graph, index)
        return self.rows(Symbol(self.graph, numbers))

    def rows(self, numbers: Any) -> Any:
        """The rows with these numbers."""
        raise NotImplementedError


class Waves(SymbolicTable):
    """sin, cos or both of the positions times the frequencies, the first `width` columns."""

    def __init__(self, graph: Graph, functions: Sequence[np.ufunc], width: int, dtype: np.dtype[Any]) -> None:
        super().__init__(graph)
        self.functions = functions
        self.frequencies = angles(2, width, dtype)[1]
        self.width = width

    def rows(self, numbers: Any) -> Any:
        """See `SymbolicTable`."""
        phases = numbers.astype(np.float32)[..., None] * self.frequencies
        found = [function(phases) for function in self.functions]
        return np.concatenate(found, -1)[..., : self.width] if len(found) > 1 else found[0]


class LearnedTable(SymbolicTable):
    """The learned vectors."""

    def __init__(self, graph: Graph, table: Any) -> None:
        super().__init__(graph)
        self.table = table

    def rows(self, numbers: Any) -> Any:
        """See `SymbolicTable`."""
        return self.table[numbers]


class SymbolicPositions:
    """Positions to be added, without a largest number."""

    def __init__(self, graph: Graph, encoding: SinusoidalPositions | LearnedPositions) -> None:
        self.table = (
            LearnedTable(graph, encoding.table)
            if isinstance(encoding, LearnedPositions)
            else Waves(graph, [np.sin, np.cos], encoding.width, encoding.dtype)
        )

    def up_to(self, positions: AnySize) -> SymbolicTable:
        """The table."""
        return self.table


class SymbolicRotation(RotaryPositions):
    """Rotation by any number of positions."""

    def __init__(self, graph: Graph, rotary: RotaryPositions) -> None:
        self.width = rotary.width
        self.sin, self.cos = (cast(Any, Waves(graph, [f], rotary.width, np.dtype("f4"))) for f in (np.sin, np.cos))

    def grow(self, positions: int) -> None:
        """There is nothing to extend."""
