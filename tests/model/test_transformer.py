"""The Transformer's layers against NumPy, torch's own layers, and the papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu

from seq2see.model import Layer, Memory, ModelOptions, Padded, Sizes, Stream, build, resolve
from seq2see.model.embedding import Embedding
from seq2see.model.tensors import map_carry, select_rows
from seq2see.model.transformer import (
    ACTIVATIONS,
    CrossAttention,
    EncoderSelfAttention,
    FeedForward,
    LearnedPositions,
    Norm,
    PostNorm,
    PreNorm,
    SelfAttention,
    SinusoidalPositions,
    angles_at,
    rotate,
)

ROWS, TARGETS, SOURCES, WIDTH, HEADS, INNER, TOKENS = 3, 5, 7, 12, 3, 20, 11
LENGTHS = torch.tensor([7, 1, 4])
MASK = torch.arange(SOURCES) < LENGTHS[:, None]
BOUND = 1e-9


def randomize(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.4 * torch.randn_like(parameter))
    return module.double().eval()


def noise(*shape):
    return torch.randn(*shape).double()


def new_memory():
    loud = torch.where(MASK[..., None], noise(ROWS, SOURCES, WIDTH), 1e3)  # padding with the highest scores
    return Memory(loud, MASK, ())


def close(one, other, bound=BOUND):
    one, other = torch.as_tensor(one), torch.as_tensor(other)
    assert one.shape == other.shape
    assert (one - other).abs().max() <= bound


def linear_by_hand(linear, x):
    return x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()


def attention_by_hand(queries, keys, values, allowed, heads, turn=None):
    """One sentence: queries [T D], keys and values [S D], allowed [T S]; a head is a block of adjacent columns."""
    out, shown = np.zeros_like(queries), []
    each = queries.shape[1] // heads
    for head in range(heads):
        own = slice(head * each, (head + 1) * each)
        weights = np.zeros((len(queries), len(keys)))
        for t, query in enumerate(queries[:, own]):
            seen = [s for s in range(len(keys)) if allowed[t, s]]
            scores = []
            for s in seen:
                q, k = (query, keys[s, own]) if turn is None else (turn(query, t), turn(keys[s, own], s))
                scores.append(sum(a * b for a, b in zip(q, k, strict=True)) / math.sqrt(each))
            parts = np.exp(np.array(scores) - max(scores))
            weights[t, seen] = parts / parts.sum()
        out[:, own] = weights @ values[:, own]
        shown.append(weights)
    return out, np.mean(shown, 0)


def rotate_by_hand(x, position):
    """Each pair (x_i, x_{i + E/2}) as a complex number, times e^{i·position·θ_i} (Su et al. 2021, section 3.2.2)."""
    half = len(x) // 2
    angles = position * 10_000.0 ** (-2 * np.arange(half) / len(x))
    turned = (x[:half] + 1j * x[half:]) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag])


def in_pieces(layer, x, sizes, reading=()):
    """The outputs of all positions, and the final carry, with x fed in chunks."""
    carry, outputs = layer.start(Memory(x[:, :0], torch.ones(len(x), 0, dtype=torch.bool), ()), iter(())), []
    for chunk in x.split(sizes, 1):
        stream, carry = layer(Stream(chunk), carry, reading)
        outputs.append(stream.x)
    return torch.cat(outputs, 1), carry


# --- the decoder's self-attention -------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("sizes", [[5], [1, 1, 1, 1, 1], [2, 3], [1, 3, 1], [3, 2], [2, 2, 1]], ids=str)
def test_self_attention_is_causal(sizes, rotary):
    """At once, step by step, and in chunks, with keys before the queries."""
    layer = randomize(SelfAttention(WIDTH, 2 if rotary else HEADS, rotary=rotary))
    x = noise(ROWS, TARGETS, WIDTH)
    ours, (keys, values) = in_pieces(layer, x, sizes)
    past = np.tril(np.ones((TARGETS, TARGETS), dtype=bool))
    for row in range(ROWS):
        own_queries, own_keys, own_values = np.split(linear_by_hand(layer.projection, x[row].numpy()), 3, axis=1)
        attended, _ = attention_by_hand(
            own_queries, own_keys, own_values, past, layer.heads, rotate_by_hand if rotary else None
        )
        close(ours[row], linear_by_hand(layer.output, attended))
        close(values[row].transpose(0, 1).reshape(TARGETS, WIDTH), own_values)
    assert keys.shape == values.shape == (ROWS, layer.heads, TARGETS, WIDTH // layer.heads)


@torch.no_grad()
def test_a_step_adds_one_position_to_the_cache_and_keeps_the_rest():
    layer = randomize(SelfAttention(WIDTH, HEADS))
    read = []
    layer.projection.register_forward_hook(lambda module, given, made: read.append(given[0].shape[:2].numel()))
    x = noise(ROWS, TARGETS, WIDTH)
    _, carry = in_pieces(layer, x[:, :3], [3])
    assert read == [3 * ROWS]
    _, longer = layer(Stream(x[:, 3:4]), carry, ())
    assert read == [3 * ROWS, ROWS], "a step projects its own position alone"
    for before, after in zip(carry, longer, strict=True):
        assert after.size(2) == before.size(2) + 1
        assert torch.equal(after[:, :, :3], before)


@torch.no_grad()
@pytest.mark.parametrize("causal", [True, False])
def test_self_attention_equals_torch_multi_head_attention(causal):
    """With the same weights; over padded rows if not causal."""
    layer = randomize(SelfAttention(WIDTH, HEADS) if causal else EncoderSelfAttention(WIDTH, HEADS))
    twin = multi_head_twin(layer.projection, layer.output)
    memory = new_memory()
    x = memory.states
    if causal:
        ours, _ = in_pieces(layer, x, [SOURCES])
        future = torch.ones(SOURCES, SOURCES, dtype=torch.bool).triu(1)
        close(ours, twin(x, x, x, attn_mask=future, need_weights=False)[0], 1e-6)  # padding has the highest scores
    else:
        stream, _ = layer(Stream(x), (), layer.read(memory))
        close(stream.x[MASK], twin(x, x, x, key_padding_mask=~MASK, need_weights=False)[0][MASK])


def multi_head_twin(projection, output, query=None):
    """torch's own multi-head attention with these weights; with a separate `query` for cross-attention."""
    twin = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).double().eval()
    copy_attention(twin, projection, output, query)
    return twin


@torch.no_grad()
def copy_attention(twin, projection, output, query=None):
    parts = [projection] if query is None else [query, projection]
    twin.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
    twin.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    twin.out_proj.weight.copy_(output.weight)
    twin.out_proj.bias.copy_(output.bias)


# --- the encoder's self-attention -------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("rotary", [False, True])
def test_encoder_self_attention_covers_all_real_positions(rotary):
    layer, memory = randomize(EncoderSelfAttention(WIDTH, 2 if rotary else HEADS, rotary=rotary)), new_memory()
    stream, carry = layer(Stream(memory.states), (), layer.read(memory))
    assert carry == ()
    for row, length in enumerate(LENGTHS.tolist()):
        x = memory.states[row, :length].numpy()
        parts = np.split(linear_by_hand(layer.projection, x), 3, axis=1)
        everywhere = np.ones((length, length), dtype=bool)
        attended, _ = attention_by_hand(*parts, everywhere, layer.heads, rotate_by_hand if rotary else None)
        close(stream.x[row, :length], linear_by_hand(layer.output, attended))


# --- cross-attention --------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("reports_weights", [True, False])
def test_cross_attention_is_as_in_the_paper(reports_weights, need_weights):
    layer, memory = randomize(CrossAttention(WIDTH, WIDTH, HEADS, reports_weights=reports_weights)), new_memory()
    x = noise(ROWS, TARGETS, WIDTH)
    stream, carry = layer(Stream(x, need_weights=need_weights), (), layer.read(memory))
    assert carry == ()
    assert (stream.weights is not None) == (reports_weights and need_weights)
    for row, length in enumerate(LENGTHS.tolist()):
        states = memory.states[row, :length].numpy()
        keys, values = np.split(linear_by_hand(layer.projection, states), 2, axis=1)
        queries = linear_by_hand(layer.query, x[row].numpy())
        attended, weights = attention_by_hand(queries, keys, values, np.ones((TARGETS, length), dtype=bool), HEADS)
        close(stream.x[row], linear_by_hand(layer.output, attended))
        if stream.weights is not None:
            close(stream.weights[row, :, :length], weights)
            assert (stream.weights[row, :, length:] == 0).all()
    twin = multi_head_twin(layer.projection, layer.output, layer.query)
    expected, shown = twin(x, memory.states, memory.states, key_padding_mask=~MASK, need_weights=True)
    close(stream.x, expected)
    if stream.weights is not None:
        close(stream.weights, shown)


@torch.no_grad()
def test_a_layer_that_reports_no_weights_keeps_those_of_an_earlier_one():
    layer, memory = randomize(CrossAttention(WIDTH, WIDTH, HEADS)), new_memory()
    weights = torch.rand(ROWS, TARGETS, SOURCES)
    stream, _ = layer(Stream(noise(ROWS, TARGETS, WIDTH), weights=weights), (), layer.read(memory))
    assert stream.weights is weights


@torch.no_grad()
@pytest.mark.parametrize("need_weights", [True, False])
def test_the_hypotheses_of_a_sentence_share_its_reading(need_weights):
    """Two rows per sentence with a shared reading give the same result as with one reading per row."""
    layer, memory = randomize(CrossAttention(WIDTH, WIDTH, HEADS, reports_weights=True)), new_memory()
    x, reading = noise(2 * ROWS, TARGETS, WIDTH), layer.read(memory)
    shared, _ = layer(Stream(x, need_weights=need_weights), (), reading)
    own, _ = layer(Stream(x, need_weights=need_weights), (), select_rows(reading, torch.tensor([0, 0, 1, 1, 2, 2])))
    close(shared.x, own.x, 1e-12)
    if need_weights:
        close(shared.weights, own.weights, 1e-12)


@torch.no_grad()
@pytest.mark.parametrize("name", ["transformer", "transformer_lstm", "lstm_transformer"])
def test_so_do_those_of_a_whole_decoder(name):
    model = new_model(name)
    source = Padded(torch.randint(4, TOKENS, (ROWS, SOURCES)), LENGTHS)
    state = model.decoder.start(model.encode(source))
    twice = torch.tensor([0, 0, 1, 1, 2, 2])
    shared, apart = state.select(twice), state.select(twice, twice)
    for _ in range(3):
        tokens = torch.randint(4, TOKENS, (2 * ROWS, 2))
        logits, shared, weights = model.decoder(tokens, shared)
        expected, apart, own_weights = model.decoder(tokens, apart)
        close(logits, expected)
        close(weights, own_weights)
    assert next(iter(tensors_of(shared.reading))).size(0) == ROWS
    assert next(iter(tensors_of(shared.carry))).size(0) == 2 * ROWS


def tensors_of(carry):
    found = []
    map_carry(lambda tensor: found.append(tensor) or tensor, carry)
    return found


def new_model(name, **options):
    small = {"width": WIDTH, "heads": HEADS, "layers": 2, "feed_forward": INNER, "dropout": 0.0}
    return randomize(build(resolve(ModelOptions(**{"name": name} | small | options)), Sizes(TOKENS, TOKENS)))


@pytest.mark.parametrize(("layers", "shown"), [(1, 0), (2, 0), (3, 1), (6, 4)])
def test_the_last_block_but_one_reports_weights(layers, shown):
    for name in ("transformer", "lstm_transformer"):
        model = new_model(name, layers=layers)
        reports_weights = [
            module.reports_weights for module in model.decoder.modules() if isinstance(module, CrossAttention)
        ]
        assert reports_weights == [height == shown for height in range(layers)]


@torch.no_grad()
def test_training_computes_no_weights(monkeypatch):
    """The loss goes through fused attention in every layer."""
    model = new_model("transformer")
    monkeypatch.setattr("seq2see.model.transformer.masked_softmax", None)
    source, tokens = Padded(torch.randint(4, TOKENS, (ROWS, SOURCES)), LENGTHS), torch.randint(4, TOKENS, (ROWS, 4))
    model(source, tokens)
    with pytest.raises(TypeError):
        model.decoder(tokens, model.decoder.start(model.encode(source)))


# --- feed-forward, norms ----------------------------------------------------------------------------------------------


def activation_by_hand(name, x):
    match name:
        case "relu":
            return np.maximum(x, 0)
        case "gelu":
            return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        case "swiglu":
            gate, passed = np.split(x, 2, axis=-1)
            return gate / (1 + np.exp(-gate)) * passed


@torch.no_grad()
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_feed_forward_layer_is_two_linear_ones_and_an_activation(activation):
    layer, x = randomize(FeedForward(WIDTH, INNER, activation)), 3 * noise(ROWS, TARGETS, WIDTH)
    assert layer.narrow.in_features == INNER
    stream, _ = layer(Stream(x), (), ())
    inner = activation_by_hand(activation, linear_by_hand(layer.widen, x.numpy()))
    close(stream.x, linear_by_hand(layer.narrow, inner), 1e-12)


class Doubling(Layer):
    def forward(self, stream, carry, reading):
        return stream._replace(x=2 * stream.x + 1), carry


def norm_by_hand(norm, x):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * norm.weight.detach().numpy() + norm.bias.detach().numpy()


@torch.no_grad()
def test_positions_of_the_norms():
    x = noise(ROWS, TARGETS, WIDTH)
    before, after, last = (
        randomize(layer) for layer in (PreNorm(Doubling(), WIDTH, 0.0), PostNorm(Doubling(), WIDTH, 0.0), Norm(WIDTH))
    )
    close(before(Stream(x), (), ())[0].x, x.numpy() + 2 * norm_by_hand(before.norm, x.numpy()) + 1, 1e-12)
    close(after(Stream(x), (), ())[0].x, norm_by_hand(after.norm, 3 * x.numpy() + 1), 1e-12)
    close(last(Stream(x), (), ())[0].x, norm_by_hand(last.norm, x.numpy()), 1e-12)


@pytest.mark.parametrize("kind", [PreNorm, PostNorm])
def test_dropout_applies_to_the_sublayers_output(kind):
    """Never to the residual connection: if the branch is dropped, the output is the input."""
    layer = kind(Doubling(), WIDTH, 0.5).double().train()
    x = noise(4, 50, WIDTH)
    added = layer(Stream(x), (), ())[0].x - x
    if kind is PreNorm:
        expected = 2 * (2 * layer.norm(x) + 1)
        dropped = added.abs() < 1e-12
        assert 0.4 < dropped.double().mean() < 0.6
        close(added[~dropped], expected[~dropped])
    else:
        torch.manual_seed(1)
        ours = layer(Stream(x), (), ())[0].x
        torch.manual_seed(1)
        close(ours, layer.norm(x + layer.dropout(2 * x + 1)), 1e-12)
        assert not torch.equal(ours, layer(Stream(x), (), ())[0].x)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_stack_of_pre_norm_blocks_ends_with_a_norm(norm):
    model = new_model("transformer", norm=norm)
    ends = [layers[-1] for layers in (model.encoder.layers[0].layers.layers, model.decoder.layers.layers)]
    assert [isinstance(end, Norm) for end in ends] == [norm == "pre"] * 2


# --- positions --------------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("width", [12, 7])
def test_sinusoidal_positions_are_as_in_the_paper(width):
    """PE(pos, 2i) = sin(pos / 10000^(2i/D)), PE(pos, 2i+1) = cos(…), all sines before all cosines."""
    formula = np.zeros((40, width))
    for position in range(40):
        for column in range(width):
            angle = position / 10_000 ** (2 * (column // 2) / width)
            formula[position, column] = math.sin(angle) if column % 2 == 0 else math.cos(angle)
    order = [*range(0, width, 2), *range(1, width, 2)]
    x = noise(2, 40, width)
    ours, carry = in_pieces(SinusoidalPositions(width), x, [1, 9, 30])
    close(ours, x + torch.from_numpy(formula[:, order]), 1e-12)
    assert carry.tolist() == [40, 40]


@torch.no_grad()
@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_large_positions_are_distinct_in_float32(positions):
    """Angles are computed in the model's dtype, because not every device has float64."""
    far = 5_000
    if positions == "rotary":
        narrow, wide = (
            angles_at(far, 2, 64, like=torch.zeros(1, dtype=dtype)) for dtype in (torch.float32, torch.float64)
        )
        narrow, wide = narrow.sin(), wide.sin()
    else:
        layer = SinusoidalPositions(64)
        narrow, wide = (
            layer(Stream(torch.zeros(1, 2, 64, dtype=dtype)), torch.tensor([far]), ())[0].x
            for dtype in (torch.float32, torch.float64)
        )
        assert layer(Stream(torch.zeros(1, 2, 64).bfloat16()), torch.tensor([far]), ())[0].x.dtype == torch.bfloat16
    assert narrow.dtype == torch.float32
    close(narrow.double(), wide, 1e-3)


@torch.no_grad()
def test_each_row_continues_from_its_own_position():
    layer, x = SinusoidalPositions(WIDTH), torch.zeros(2, 3, WIDTH).double()
    whole, _ = in_pieces(layer, torch.zeros(1, 20, WIDTH).double(), [20])
    stream, carry = layer(Stream(x), torch.tensor([4, 11]), ())
    close(stream.x[0], whole[0, 4:7], 1e-12)
    close(stream.x[1], whole[0, 11:14], 1e-12)
    assert carry.tolist() == [7, 14]


@torch.no_grad()
def test_learned_positions_are_rows_of_a_table():
    layer, x = randomize(LearnedPositions(9, WIDTH)), noise(ROWS, 7, WIDTH)
    ours, carry = in_pieces(layer, x, [2, 1, 4])
    close(ours, x + layer.table.weight[:7], 1e-12)
    assert carry.tolist() == [7] * ROWS


@torch.no_grad()
def test_rotary_products_depend_only_on_distances():
    q, k = noise(8), noise(8)

    def product(query_position, key_position):
        rotated_query = rotate(q.view(1, 1, 1, 8), angles_at(query_position, 1, 8, like=q))
        rotated_key = rotate(k.view(1, 1, 1, 8), angles_at(key_position, 1, 8, like=k))
        return (rotated_query * rotated_key).sum().item()

    for distance in range(6):
        values = [product(position + distance, position) for position in (0, 1, 5, 300)]
        assert values == pytest.approx([values[0]] * 4, abs=1e-10)
    assert len({round(product(position, 0), 6) for position in range(6)}) == 6
    assert product(7, 7) == pytest.approx((q @ k).item())
    by_hand = rotate_by_hand(q.numpy(), 3) @ rotate_by_hand(k.numpy(), 1)
    assert product(3, 1) == pytest.approx(by_hand)


@torch.no_grad()
def test_rotary_attention_is_translation_invariant():
    """Rotating keys by their distance from the query equals rotating everything by its position."""
    layer = randomize(SelfAttention(WIDTH, 2, rotary=True))
    x = noise(1, TARGETS, WIDTH)
    ours, _ = in_pieces(layer, x, [TARGETS])
    queries, keys, values = np.split(linear_by_hand(layer.projection, x[0].numpy()), 3, axis=1)
    last = TARGETS - 1
    moved = np.concatenate(
        [
            np.stack([rotate_by_hand(row[own], position - last) for position, row in enumerate(keys)])
            for own in (slice(0, 6), slice(6, 12))
        ],
        axis=1,
    )
    attended, _ = attention_by_hand(queries[last:], moved, values, np.ones((1, TARGETS), dtype=bool), 2)
    close(ours[0, last:], linear_by_hand(layer.output, attended))
    still = randomize(SelfAttention(WIDTH, 2))
    still.load_state_dict(layer.state_dict())
    assert (in_pieces(still, x, [TARGETS])[0] - ours).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_the_order_of_tokens_matters(side, positions):
    """Attention alone ignores order; the last position sees the same set of tokens in both."""
    model = new_model("transformer", positions=positions, heads=2)
    source, tokens = torch.tensor([[4, 5, 6, 7, 3]]), torch.tensor([[2, 4, 5, 6]])
    turned_source, turned_tokens = torch.tensor([[6, 5, 4, 7, 3]]), torch.tensor([[2, 5, 4, 6]])
    length = torch.tensor([5])
    logits = model(Padded(source, length), tokens)[:, -1]
    if side == "source":
        other = model(Padded(turned_source, length), tokens)[:, -1]
    else:
        other = model(Padded(source, length), turned_tokens)[:, -1]
    assert (other - logits).abs().max() > 1e-6


# --- blocks and models against torch's own ----------------------------------------------------------------------------


@torch.no_grad()
def copy_block(twin, block):
    """Copies our block's weights into torch's encoder or decoder layer."""
    *attentions, forward = block.layers
    copy_attention(twin.self_attn, attentions[0].inner.projection, attentions[0].inner.output)
    if len(attentions) == 2:
        cross = attentions[1].inner
        copy_attention(twin.multihead_attn, cross.projection, cross.output, cross.query)
    twin.linear1.load_state_dict(forward.inner.widen.state_dict())
    twin.linear2.load_state_dict(forward.inner.narrow.state_dict())
    for norm, sublayer in zip((twin.norm1, twin.norm2, getattr(twin, "norm3", None)), block.layers, strict=False):
        norm.load_state_dict(sublayer.norm.state_dict())


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_model_equals_the_transformer_of_torch(norm, activation):
    """Logits of the whole model against torch's encoder and decoder with the same weights, with padding."""
    model = new_model("transformer", norm=norm, activation=activation, tie="none")
    sizes = {"d_model": WIDTH, "nhead": HEADS, "dim_feedforward": INNER, "dropout": 0.0, "batch_first": True}
    activations = {"relu": nn.functional.relu, "gelu": lambda x: gelu(x, approximate="tanh")}
    sizes |= {"norm_first": norm == "pre", "activation": activations[activation]}
    reader, *reader_norm = split_norm(model.encoder.layers[0].layers.layers[1:])
    writer, *writer_norm = split_norm(model.decoder.layers.layers[1:])
    encoder = [nn.TransformerEncoderLayer(**sizes).double().eval() for _ in reader]
    decoder = [nn.TransformerDecoderLayer(**sizes).double().eval() for _ in writer]
    for twin, block in zip([*encoder, *decoder], [*reader, *writer], strict=True):
        copy_block(twin, block)

    ids = torch.where(MASK, torch.randint(4, TOKENS, (ROWS, SOURCES)), 0)
    tokens = torch.randint(4, TOKENS, (ROWS, TARGETS))
    positions, _ = in_pieces(SinusoidalPositions(WIDTH), torch.zeros(1, SOURCES, WIDTH).double(), [SOURCES])
    states = math.sqrt(WIDTH) * model.encoder.embedding.weight[ids] + positions
    for layer in encoder:
        states = layer(states, src_key_padding_mask=~MASK)
    for last in reader_norm:
        states = last.norm(states)
    x = math.sqrt(WIDTH) * model.decoder.embedding.weight[tokens] + positions[:, :TARGETS]
    future = torch.ones(TARGETS, TARGETS, dtype=torch.bool).triu(1)
    for layer in decoder:
        x = layer(x, states, tgt_mask=future, memory_key_padding_mask=~MASK)
    for last in writer_norm:
        x = last.norm(x)
    close(model(Padded(ids, LENGTHS), tokens), model.decoder.output(x))


def split_norm(layers):
    """The blocks, then the last norm if there is one."""
    layers = list(layers)
    return [layers[:-1], layers[-1]] if isinstance(layers[-1], Norm) else [layers]


# --- tied tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [4, 9])
def test_an_embedding_is_scaled_by_the_root_of_its_width(width):
    plain, scaled = Embedding(TOKENS, width), Embedding(TOKENS, width, scaled=True)
    ids = torch.tensor([[1, 5], [5, 10]])
    assert torch.equal(plain(ids), plain.weight[ids])
    torch.testing.assert_close(scaled(ids), width**0.5 * scaled.weight[ids])


@pytest.mark.parametrize("tie", ["target", "all"])
@pytest.mark.parametrize("name", ["transformer", "lstm_transformer", "transformer_lstm", "attention"])
def test_a_tied_table_is_one_parameter_that_learns_from_every_use(name, tie):
    """Its gradient is the sum of those of separate tables with the same values."""
    sizes = {"width": WIDTH, "embedding": WIDTH, "layers": 1, "dropout": 0.0}
    sizes |= {} if name == "attention" else {"heads": HEADS}
    tied = build(resolve(ModelOptions(name=name, tie=tie, **sizes)), Sizes(TOKENS, TOKENS)).double()
    own = build(resolve(ModelOptions(name=name, tie="none", **sizes)), Sizes(TOKENS, TOKENS)).double()
    table = tied.decoder.embedding.weight
    assert tied.decoder.output.weight is table
    assert (tied.encoder.embedding.weight is table) == (tie == "all")
    assert len(list(own.parameters())) - len(list(tied.parameters())) == {"target": 1, "all": 2}[tie]
    uses = {"encoder.embedding.weight", "decoder.embedding.weight", "decoder.output.weight"}
    tensors = tied.tensors()
    assert len(uses & set(tensors)) == {"target": 2, "all": 1}[tie]
    for module in (own.encoder.embedding, own.decoder.embedding):
        module.scale = WIDTH**0.5
    source = Padded(torch.randint(4, TOKENS, (ROWS, SOURCES)), LENGTHS)
    tokens, targets = torch.randint(4, TOKENS, (2, ROWS, TARGETS))
    with torch.no_grad():
        for key, parameter in own.named_parameters():
            shared = table if key in uses and key not in tensors else None
            parameter.copy_(tensors[key] if shared is None else shared)
    for model in (tied, own):
        logits = model(source, tokens)
        cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    gradients = {key: parameter.grad for key, parameter in own.named_parameters()}
    together = [gradients[key] for key in uses if tie == "all" or not key.startswith("encoder")]
    assert all(gradient.abs().max() > 0 for gradient in together)
    close(table.grad, sum(together))
