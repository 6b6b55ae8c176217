"""Composition of the architectures: initial states, context, residual connections; and invalid options."""

from __future__ import annotations

import pytest
import torch

from seq2see.errors import ConfigError
from seq2see.model import (
    ARCHITECTURES,
    DEFAULT,
    ModelOptions,
    Padded,
    Sizes,
    Stream,
    build,
    find,
    max_positions,
    resolve,
    to_options,
)
from seq2see.model.mixtures import HardMonotonic
from seq2see.model.readers import Attend, AttendFromPrevious, Pointer
from seq2see.model.recurrent import Recurrent
from seq2see.model.tensors import map_carry
from seq2see.model.transformer import CrossAttention
from seq2see.model.wiring import Concat, Dense, InputFeeding, ReadContext, Residual, Stack

TOKENS = 11
TRANSFORMERS = [name for name, architecture in ARCHITECTURES.items() if architecture.has_blocks]
LADDER = [name for name, architecture in ARCHITECTURES.items() if architecture.has_source and name not in TRANSFORMERS]
"""Recurrent on both sides."""
SOURCE = Padded(torch.tensor([[4, 5, 6, 3], [7, 3, 0, 0], [8, 9, 3, 0]]), torch.tensor([4, 2, 3]))
READ = torch.tensor([[2, 4, 5], [2, 9, 7], [2, 6, 6]])


def new_model(name, **options):
    torch.manual_seed(0)
    embedding = None if name in TRANSFORMERS else 6
    blueprint = resolve(ModelOptions(**{"name": name, "width": 8, "embedding": embedding, "dropout": 0.0} | options))
    return build(blueprint, Sizes(TOKENS, TOKENS)).double().eval()


def logits_of(model, memory):
    return model.decoder(READ, model.decoder.start(memory))[0]


def tensors_of(carry):
    found = []
    map_carry(lambda tensor: found.append(tensor) or tensor, carry)
    return found


# --- the encoder's final states ---------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", LADDER)
def test_every_decoder_layer_starts_from_its_encoder_layers_final_state(name, layers):
    if layers < ARCHITECTURES[name].min_layers:
        pytest.skip("too few for it")
    model = new_model(name, layers=layers)
    memory = model.encode(SOURCE)
    carry = model.decoder.start(memory).carry
    if name == "input_feeding":
        ((carry, fed),) = carry
        assert torch.equal(fed, torch.zeros(3, 1, 8).double())
    if name == "monotonic":
        carry, (place, _) = carry
        assert (place.argmax(1) == 0).all()
    if name == "transducer":
        place, carry = carry[0], carry[1:]
        assert torch.equal(place, torch.zeros(3, dtype=torch.int64))
    started, finals = tensors_of(carry), [part for final in memory.finals for part in final]
    assert len(memory.finals) == layers
    assert len(started) == 2 * layers
    for height, (one, other) in enumerate(zip(started, finals, strict=True)):
        assert torch.equal(one, other), f"layer {height // 2}, {'hc'[height % 2]}"
        assert other.abs().max() > 0


@torch.no_grad()
@pytest.mark.parametrize("name", ["plain", "reverse"])
@pytest.mark.parametrize("layers", [1, 2])
def test_each_part_of_each_final_state_changes_the_logits(name, layers):
    model = new_model(name, layers=layers)
    memory = model.encode(SOURCE)
    logits = logits_of(model, memory)
    for layer in range(layers):
        for part in (0, 1):
            finals = [list(final) for final in memory.finals]
            finals[layer][part] = finals[layer][part] + 0.1
            other = logits_of(model, memory._replace(finals=tuple(map(tuple, finals))))
            assert ((other - logits).abs().amax(-1) > 1e-6).all(), f"layer {layer}, {'hc'[part]}"


@torch.no_grad()
@pytest.mark.parametrize("name", ["plain", "reverse", "peeky"])
def test_without_attention_the_encoder_states_have_no_effect(name):
    model = new_model(name)
    memory = model.encode(SOURCE)
    assert torch.equal(logits_of(model, memory._replace(states=memory.states + 1)), logits_of(model, memory))


@torch.no_grad()
def test_a_language_model_ignores_the_source():
    model = new_model("language_model")
    no_source = Padded(torch.zeros(3, 0, dtype=torch.long), torch.zeros(3, dtype=torch.long))
    assert torch.equal(model(no_source, READ), model(SOURCE, READ))
    assert model.encode(no_source).finals == ()


# --- peeky ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2])
def test_the_peeky_gradient_covers_every_use_of_h(layers):
    """Finite differences by the encoder's last h: the decoder's start, and the context at every position."""
    model = new_model("peeky", layers=layers)
    memory = model.encode(SOURCE)
    h = memory.finals[-1][0].detach().requires_grad_()
    weights = torch.randn(*READ.shape, TOKENS).double()

    def loss(h):
        finals = (*memory.finals[:-1], (h, memory.finals[-1][1]))
        return (weights * logits_of(model, memory._replace(finals=finals)).log_softmax(-1)).sum()

    (gradient,) = torch.autograd.grad(loss(h), h)
    step = 1e-6
    with torch.no_grad():
        for row in range(h.size(0)):
            for column in range(h.size(1)):
                shift = torch.zeros_like(h)
                shift[row, column] = step
                numeric = (loss(h + shift) - loss(h - shift)) / (2 * step)
                assert abs(numeric - gradient[row, column]) < 1e-7 * max(1.0, abs(numeric))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_equal_finite_differences(name):
    """A few values of every parameter of every architecture."""
    model = new_model(name)
    weights = torch.randn(*READ.shape, TOKENS).double()

    def loss():
        return (weights * model(SOURCE, READ).log_softmax(-1)).sum()

    loss().backward()
    step = 1e-6
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            flat, gradient = parameter.view(-1), parameter.grad.view(-1)
            strongest = gradient.abs().argmax().item()
            for index in {strongest, flat.numel() // 2}:
                kept = flat[index].item()
                values = []
                for shift in (step, -step):
                    flat[index] = kept + shift
                    values.append(loss().item())
                flat[index] = kept
                numeric = (values[0] - values[1]) / (2 * step)
                assert abs(numeric - gradient[index].item()) < 1e-6 * max(1.0, abs(numeric)), f"{name}[{index}]"


@torch.no_grad()
def test_peeky_reads_h_in_every_lstm_and_in_the_output_layer():
    model = new_model("peeky", layers=2)
    _, first, second, last = model.decoder.layers.layers
    assert isinstance(last, Concat)
    assert model.decoder.output.in_features == 16
    memory = model.encode(SOURCE)
    for sees in (
        first.inner.lstm.weight_input[:, 6:],
        second.inner.lstm.weight_input[:, 8:],
        model.decoder.output.weight[:, 8:],
    ):
        logits = logits_of(model, memory)
        kept = sees.clone()
        sees.zero_()
        assert (logits_of(model, memory) - logits).abs().max() > 1e-6
        sees.copy_(kept)


# --- wiring -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_residual_adds_its_input():
    inner = Recurrent(8, 8)
    for parameter in inner.parameters():
        parameter.copy_(torch.randn_like(parameter))
    x, carry = torch.randn(2, 3, 8), (torch.randn(2, 8), torch.randn(2, 8))
    plain, plain_carry = inner(Stream(x), carry, ())
    added, added_carry = Residual(inner)(Stream(x), carry, ())
    assert torch.equal(added.x, x + plain.x)
    assert torch.equal(added_carry[0], plain_carry[0])


@torch.no_grad()
def test_residual_around_read_context_adds_only_x():
    inner = ReadContext(Dense(8 + 5, 8))
    x, context = torch.randn(2, 3, 8), torch.randn(2, 3, 5)
    stream, _ = Residual(inner)(Stream(x, context), (), ())
    torch.testing.assert_close(stream.x, x + torch.tanh(inner.inner.linear(torch.cat([x, context], -1))))
    assert stream.context is context


@torch.no_grad()
def test_dense_and_concat_join_x_and_context():
    x, context = torch.randn(2, 3, 4), torch.randn(2, 3, 5)
    stream, _ = Concat()(Stream(x, context), (), ())
    assert torch.equal(stream.x, torch.cat([x, context], -1))
    with pytest.raises(AssertionError, match="reader"):
        Concat()(Stream(x), (), ())


@torch.no_grad()
def test_which_layers_are_residual():
    model = new_model("residual", layers=3)
    kinds = [type(layer) for layer in model.decoder.layers.layers]
    assert kinds == [Recurrent, Residual, Residual, Attend, ReadContext]
    assert [hasattr(layer, "inner") for layer in model.encoder.layers] == [False, True, True]


@torch.no_grad()
def test_residual_layers_with_zero_output_change_nothing():
    """With zero output of the upper LSTMs only the bottom layer is left."""
    residual = new_model("residual", layers=3)
    for layer in residual.decoder.layers.layers[1:3]:
        for parameter in layer.inner.lstm.parameters():
            parameter.zero_()
    memory = residual.encode(SOURCE)
    state = residual.decoder.start(memory)
    quiet = tuple(
        part if height in (0, 3, 4) else tuple(torch.zeros_like(t) for t in part)
        for height, part in enumerate(state.carry)
    )
    bottom, *_, attend, dense = residual.decoder.layers.layers
    expected = Stack(bottom, attend, dense)
    stream, _ = expected(
        Stream(residual.decoder.embedding(READ)),
        (quiet[0], quiet[3], quiet[4]),
        (state.reading[0], state.reading[3], state.reading[4]),
    )
    ours, _ = residual.decoder.layers(Stream(residual.decoder.embedding(READ)), quiet, state.reading)
    torch.testing.assert_close(ours.x, stream.x, rtol=0, atol=1e-12)


@torch.no_grad()
def test_gnmt_attends_in_the_bottom_layer():
    model = new_model("gnmt", layers=4)
    bottom, first, second, third = model.decoder.layers.layers
    assert isinstance(bottom, AttendFromPrevious)
    assert isinstance(bottom.recurrent, Recurrent)
    assert isinstance(bottom.attend, Attend)
    assert isinstance(first, ReadContext)
    assert isinstance(first.inner, Recurrent)
    for layer in (second, third):
        assert isinstance(layer, Residual)
        assert isinstance(layer.inner, ReadContext)
    one_way = [hasattr(getattr(layer, "inner", layer), "reader") for layer in model.encoder.layers]
    assert one_way == [False, True, True, True]  # only the encoder's bottom layer is bidirectional
    assert [hasattr(layer, "inner") for layer in model.encoder.layers] == [False, False, True, True]


@torch.no_grad()
def test_gnmts_upper_layers_read_the_context_and_the_bottom_layer_does_not():
    model = new_model("gnmt", layers=3)
    memory = model.encode(SOURCE)
    changed = memory._replace(states=memory.states + torch.randn_like(memory.states))
    carries = []
    for each in (memory, changed):
        _, state, _ = model.decoder(READ, model.decoder.start(each))
        carries.append(state.carry)
    (bottom, *above), (other_bottom, *other_above) = carries
    assert torch.equal(bottom[0][0], other_bottom[0][0])
    for layer, other in zip(above, other_above, strict=True):
        assert ((layer[0] - other[0]).abs().amax(-1) > 1e-6).all()
        assert ((layer[1] - other[1]).abs().amax(-1) > 1e-6).all()
    # Zeroing a layer's weights for the context removes its effect, layer by layer.
    for layer in (model.decoder.layers.layers[1].inner, model.decoder.layers.layers[2].inner.inner):
        columns = layer.lstm.weight_input[:, 8:]
        kept, before = columns.clone(), logits_of(model, memory)
        columns.zero_()
        assert (logits_of(model, memory) - before).abs().max() > 1e-6
        columns.copy_(kept)


@torch.no_grad()
@pytest.mark.parametrize("query", ["previous", "current"])
def test_the_query_of_gnmts_attention_is_of_the_step_before(query):
    """So the last token read has no effect on the weights, and the first query is the start of the bottom layer."""
    model = new_model("gnmt", layers=2, query=query)
    memory = model.encode(SOURCE)
    other = READ.clone()
    other[:, -1] = READ[:, 0]
    assert not torch.equal(other, READ)
    last, changed = (model.decoder(read, model.decoder.start(memory))[2][:, -1] for read in (READ, other))
    assert torch.equal(last, changed) == (query == "previous")
    if query == "previous":
        attend = model.decoder.layers.layers[0].attend
        seen, _ = attend(Stream(memory.finals[0][0][:, None]), (), attend.read(memory))
        weights = model.decoder(READ, model.decoder.start(memory))[2]
        torch.testing.assert_close(weights[:, :1], seen.weights, rtol=0, atol=1e-12)


@torch.no_grad()
def test_input_feeding_feeds_the_attentional_state_into_the_next_step():
    model = new_model("input_feeding")
    (feeding,) = model.decoder.layers.layers
    assert isinstance(feeding, InputFeeding)
    memory = model.encode(SOURCE)
    lstm, attend, dense = feeding.inner.layers
    h, c = memory.finals[0]
    fed = torch.zeros(3, 8).double()
    expected = []
    for position in range(READ.size(1)):
        x = torch.cat([model.decoder.embedding(READ[:, position, None])[:, 0], fed], -1)
        h, c = torch.lstm_cell(
            x, (h, c), lstm.lstm.weight_input, lstm.lstm.weight_hidden, lstm.lstm.bias, torch.zeros(32).double()
        )
        seen, _ = attend(Stream(h[:, None]), (), attend.read(memory))
        fed = torch.tanh(dense.inner.linear(torch.cat([h, seen.context[:, 0]], -1)))
        expected.append(model.decoder.output(fed))
    torch.testing.assert_close(logits_of(model, memory), torch.stack(expected, 1), rtol=0, atol=1e-12)


@torch.no_grad()
def test_attention_is_an_lstm_attend_and_an_attentional_layer():
    model = new_model("attention")
    memory = model.encode(SOURCE)
    lstm, attend, dense = model.decoder.layers.layers
    outputs, _ = lstm.lstm(model.decoder.embedding(READ), memory.finals[0])
    scores = torch.einsum("btd,bsd->bts", outputs, memory.states) / 8**0.5
    weights = scores.masked_fill(~memory.mask[:, None], -torch.inf).softmax(-1)
    context = torch.einsum("bts,bsd->btd", weights, memory.states)
    expected = model.decoder.output(torch.tanh(dense.inner.linear(torch.cat([outputs, context], -1))))
    torch.testing.assert_close(logits_of(model, memory), expected, rtol=0, atol=1e-12)
    assert isinstance(attend, Attend)


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "where", "says"),
    [
        ({"name": "reverse", "direction": "forward"}, "model.direction", "'backward'"),
        ({"name": "bidirectional", "direction": "forward"}, "model.direction", "'both'"),
        ({"name": "gnmt", "direction": "backward"}, "model.direction", "'both'"),
        ({"name": "language_model", "direction": "both"}, "model.direction", "has no effect on"),
        ({"name": "bidirectional", "width": 15}, "model.width", "16"),
        ({"name": "plain", "direction": "both", "width": 7}, "model.width", "8"),
        ({"name": "gnmt", "layers": 1}, "model.layers", "at least 2 with model 'gnmt', not 1"),
        ({"name": "stacked", "layers": 1}, "model.layers", "at least 2"),
        ({"name": "residual", "layers": 1}, "model.layers", "at least 2"),
        ({"name": "gnmt", "encoder_layers": 3, "decoder_layers": 1}, "model.decoder_layers", "at least 2"),
        ({"name": "plain", "layers": 1, "encoder_layers": 2, "decoder_layers": 2}, "model.layers", "no effect beside"),
        ({"name": "language_model", "decoder_layers": 2}, "model.decoder_layers", "no effect"),
        ({"name": "transformer", "cell": "gru"}, "model.cell", "no effect"),
        ({"name": "gnmt", "output": "direct"}, "model.output", "no effect"),
        ({"name": "attention", "output": "direct", "tie": "target", "embedding": 9}, "model.embedding", "must be"),
        ({"name": "lstm_transformer", "cell": "gru"}, "model.cell", "must be 'lstm'"),
        ({"name": "transformer", "heads": 3}, "model.width", "256 is not divisible by model.heads 3"),
        ({"name": "transformer_lstm", "width": 10}, "model.width", "set model.width=12"),
        ({"name": "transformer", "width": 12, "positions": "rotary"}, "model.width", "set model.width=16"),
        ({"name": "transformer", "embedding": 128}, "model.embedding", "leave it out"),
        ({"name": "attention", "embedding": 128, "tie": "target"}, "model.embedding", "leave it out"),
        ({"name": "peeky", "embedding": 256, "tie": "target"}, "model.embedding", "512 with model.tie=target, not 256"),
        ({"name": "language_model", "tie": "all"}, "model.tie", "set model.tie=target"),
        ({"name": "transformer_language_model", "tie": "all"}, "model.tie", "set model.tie=target"),
        ({"name": "atention"}, "model.name", "did you mean 'attention'?"),
        ({"name": "bi-directional"}, "model.name", "did you mean 'bidirectional'?"),
        ({"name": "xyzzy"}, "model.name", "one of: plain, reverse, peeky"),
    ],
    ids=str,
)  # fmt: skip
def test_invalid_combinations_are_errors(options, where, says):
    with pytest.raises(ConfigError) as caught:
        resolve(ModelOptions(**options))
    assert caught.value.where == where
    assert says in str(caught.value)
    assert caught.value.fix


def test_defaults_depend_on_the_architecture():
    assert resolve(ModelOptions()).name == DEFAULT
    assert resolve(ModelOptions(name="gnmt")).layers == "4"
    assert resolve(ModelOptions(name="residual")).layers == "3"
    assert resolve(ModelOptions(name="stacked", layers=5)).layers == "5"


def test_each_side_has_its_own_number_of_layers():
    o = resolve(ModelOptions(name="stacked", layers=5, decoder_layers=1))
    assert (o.encoder_layers, o.decoder_layers, o.layers) == (5, 1, "5 + 1")
    assert to_options(o) == to_options(resolve(ModelOptions(name="stacked", encoder_layers=5, decoder_layers=1)))
    assert to_options(resolve(ModelOptions(name="stacked", encoder_layers=2))).layers == 2


@torch.no_grad()
def test_a_shallower_decoder_starts_from_the_top_of_the_encoder_and_a_deeper_one_repeats_it():
    for sides, parts in (((3, 2), [1, 2]), ((1, 3), [0, 0, 0]), ((2, 3), [0, 1, 1]), ((2, 2), [0, 1])):
        model = new_model("plain", encoder_layers=sides[0], decoder_layers=sides[1])
        memory = model.encode(SOURCE)
        carries = model.decoder.start(memory).carry
        for (h, c), height in zip(carries, parts, strict=True):
            assert torch.equal(h, memory.finals[height][0])
            assert torch.equal(c, memory.finals[height][1])
    assert resolve(ModelOptions(name="reverse")).direction == "backward"
    assert resolve(ModelOptions(name="reverse", direction="backward")).direction == "backward"
    assert resolve(ModelOptions(name="peeky")).direction == "forward"
    assert resolve(ModelOptions(name="peeky", direction="both")).direction == "both"
    assert resolve(ModelOptions(name="bidirectional", merge="sum", width=15)).width == 15
    assert resolve(ModelOptions(name="attention")).embedding == 128
    assert resolve(ModelOptions(name="attention", tie="target")).embedding == 256
    assert resolve(ModelOptions(name="peeky", tie="target")).embedding == 512
    assert resolve(ModelOptions(name="transformer")).embedding == 256
    assert resolve(ModelOptions(name="transformer", width=64, embedding=64)).feed_forward == 256
    assert resolve(ModelOptions(name="transformer")).tie == "target"
    assert resolve(ModelOptions(name="transformer", tie="none")).tie == "none"
    assert find("plain").has_source
    assert not find("language_model").has_source


def test_one_table_for_two_vocabularies_is_an_error():
    """Equal sizes can be accidental, but different sizes can't be one vocabulary."""
    for name in ("transformer", "attention"):
        o = resolve(ModelOptions(name=name, width=8, tie="all"))
        with pytest.raises(ConfigError, match="11 and 12 tokens") as caught:
            build(o, Sizes(11, 12))
        assert caught.value.where == "model.tie"
        assert "text.joint=true" in caught.value.fix
        assert build(o, Sizes(12, 12)).decoder.output.out_features == 12
    build(resolve(ModelOptions(name="transformer", width=8, tie="target")), Sizes(11, 12))


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shapes(name):
    model = new_model(name)
    memory = model.encode(SOURCE)
    logits, _, weights = model.decoder(READ, model.decoder.start(memory))
    assert logits.shape == (3, 3, TOKENS)
    has_attention = any(
        isinstance(module, Attend | CrossAttention | Pointer | HardMonotonic) for module in model.modules()
    )
    assert (weights is not None) == has_attention
    if has_attention:
        assert weights.shape == (3, 3, 4)
        assert (weights[~memory.mask[:, None].expand_as(weights)] == 0).all()
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 3).double())


@torch.no_grad()
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bfloat16_stays_close_to_float32(name, request):
    if name not in ("transformer", "transformer_language_model"):
        request.getfixturevalue("lstm_in_bfloat16")
    model = new_model(name, width=64, embedding=None if name in TRANSFORMERS else 48).float()
    logits = model(SOURCE, READ)
    with torch.autocast("cpu", torch.bfloat16):
        other = model(SOURCE, READ).float()
    assert (other - logits).abs().max() < 0.05 * logits.abs().max()
    assert not torch.equal(other, logits)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        *((name, "score", "dot") for name in ("plain", "reverse", "peeky", "language_model")),
        *((name, "merge", "sum") for name in ("plain", "reverse", "attention", "language_model")),
        *((name, "heads", 4) for name in ("attention", "language_model")),
        *(("gnmt", option, value) for option, value in (("norm", "pre"), ("activation", "gelu"), ("feed_forward", 9))),
        *(
            ("transformer", option, value)
            for option, value in (("score", "dot"), ("direction", "both"), ("max_positions", 9))
        ),
        ("transformer_lstm", "direction", "backward"),
        ("lstm_transformer", "score", "dot"),
        ("transformer_language_model", "max_positions", 9),
    ],
)
def test_an_option_without_effect_is_an_error(name, option, value):
    with pytest.raises(ConfigError, match="has no effect on model") as caught:
        resolve(ModelOptions(**{"name": name, option: value}))
    assert caught.value.where == f"model.{option}"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_to_options_and_resolve_are_inverse(name):
    o = resolve(ModelOptions(name=name))
    assert resolve(to_options(o)) == o


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_to_options_and_resolve_are_inverse_for_transformers(name):
    blocks = {"heads": 2, "feed_forward": 20, "norm": "post", "activation": "swiglu", "tie": "none", "layers": 3}
    o = resolve(ModelOptions(name=name, width=8, positions="learned", max_positions=77, **blocks))
    assert {key: getattr(o, key) for key in blocks} == blocks | {"layers": "3"}
    assert o.max_positions == max_positions(o) == 77
    assert resolve(to_options(o)) == o


def test_only_learned_positions_are_limited():
    assert max_positions(resolve(ModelOptions(name="transformer", positions="learned"))) == 1024
    assert max_positions(resolve(ModelOptions(name="transformer"))) is None
    assert max_positions(resolve(ModelOptions(name="attention"))) is None
