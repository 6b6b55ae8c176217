"""Every backward against central differences, with padding; the check must find backwards broken on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from seq2see import scratch
from seq2see.scratch import attention, decoder_layers, encoder
from seq2see.scratch.layers import LossCache
from seq2see.scratch.module import Module

MASK = np.array([[True, True, True, True], [True, False, False, False], [True, True, True, False]])
ROWS, SOURCE, TARGET, WIDTH = 3, 4, 2, 4


def random(*shape, seed=3):
    return np.random.default_rng(seed).standard_normal(shape)


def lstm_case(mask):
    lstm = scratch.LSTM(3, WIDTH)

    def forward(x, h, c):
        outputs, (h_last, c_last), cache = lstm.forward(x, (h, c), mask)
        return (outputs, h_last, c_last), cache

    def backward(gradients, cache):
        outputs, h, c = gradients
        x_gradient, state_gradient = lstm.backward(outputs, (h, c), cache)
        return x_gradient, *state_gradient

    return lstm, forward, backward, [random(ROWS, SOURCE, 3), random(ROWS, WIDTH), random(ROWS, WIDTH, seed=4)]


def gru_case(mask):
    gru = scratch.GRU(3, WIDTH)

    def forward(x, h):
        outputs, (h_last,), cache = gru.forward(x, (h,), mask)
        return (outputs, h_last), cache

    def backward(gradients, cache):
        outputs, h = gradients
        x_gradient, state_gradient = gru.backward(outputs, (h,), cache)
        return x_gradient, *state_gradient

    return gru, forward, backward, [random(ROWS, SOURCE, 3), random(ROWS, WIDTH)]


def score_case(score):
    def forward(queries, states):
        keys = score.keys(states)
        scores, cache = score.forward(queries, keys)
        return (scores,), (states, cache)

    def backward(gradients, cache):
        states, score_cache = cache
        queries_gradient, keys_gradient = score.backward(gradients[0], score_cache)
        return queries_gradient, score.keys_backward(keys_gradient, states)

    return score, forward, backward, [random(ROWS, TARGET, WIDTH), random(ROWS, SOURCE, WIDTH)]


def attention_weight_case(score):
    part = scratch.AttentionWeight(score)

    def forward(queries, keys):
        weights, cache = part.forward(queries, keys, MASK)
        return (weights,), cache

    return (
        part,
        forward,
        lambda gradients, cache: part.backward(gradients[0], cache),
        [
            random(ROWS, TARGET, WIDTH),
            random(ROWS, SOURCE, WIDTH),
        ],
    )


def weight_sum_case():
    part = scratch.WeightSum()

    def forward(weights, states):
        context, cache = part.forward(weights, states)
        return (context,), cache

    return (
        part,
        forward,
        lambda gradients, cache: part.backward(gradients[0], cache),
        [
            random(ROWS, TARGET, SOURCE),
            random(ROWS, SOURCE, WIDTH),
        ],
    )


def affine_case(bias):
    affine = scratch.Affine(WIDTH, 3, bias=bias)
    return (
        affine,
        lambda x: ((affine.forward(x),), x),
        lambda gradients, x: (affine.backward(gradients[0], x),),
        [random(ROWS, TARGET, WIDTH)],
    )


def embedding_case():
    embedding = scratch.Embedding(6, WIDTH)
    ids = np.array([[1, 4, 1], [1, 0, 5]])
    return (
        embedding,
        lambda: ((embedding.forward(ids),), ids),
        lambda gradients, cache: embedding.backward(gradients[0], cache) or (),
        [],
    )


def softmax_with_loss_case():
    part, targets = scratch.SoftmaxWithLoss(), np.array([2, 0, 2, 4])

    def forward(logits):
        loss, cache = part.forward(logits, targets)
        return (np.array(loss),), cache

    return part, forward, lambda gradients, cache: (gradients[0] * part.backward(cache),), [random(4, 5)]


def layer_norm_case():
    part = scratch.LayerNorm(WIDTH)

    def forward(x):
        y, cache = part.forward(x)
        return (y,), cache

    return part, forward, lambda gradients, cache: (part.backward(gradients[0], cache),), [random(ROWS, TARGET, WIDTH)]


def encoder_layer_case(layer):
    def forward(x):
        states, final, cache = layer.forward(x, MASK)
        return (states, *(final or ())), cache

    def backward(gradients, cache):
        states, *final = gradients
        return (layer.backward(states, tuple(final), cache),)

    return layer, forward, backward, [random(ROWS, SOURCE, WIDTH)]


def previous_query():
    return scratch.AttendFromPrevious(scratch.Recurrent(WIDTH, WIDTH), scratch.Attend(scratch.General(WIDTH, WIDTH)))


def decoder_layer_case(layer, *, has_context=False, chunks=(TARGET,)):
    """From the Memory and the input stream to the output stream, in chunks of these lengths."""

    def forward(x, context, states, h, c):
        memory = scratch.Memory(states, MASK, ((h, c),))
        state, start, outputs, caches = layer.start(memory, iter(memory.finals)), 0, [], []
        for length in chunks:
            part = slice(start, start + length)
            stream = scratch.Stream(x[:, part], context[:, part] if has_context else None)
            out, state, cache = layer.forward(stream, state)
            outputs.append([out.x] if out.context is None else [out.x, out.context])
            caches.append(cache)
            start += length
        return [np.concatenate(parts, 1) for parts in zip(*outputs, strict=True)], (memory, caches)

    def backward(gradients, cache):
        memory, caches = cache
        later, end, streams = None, sum(chunks), []
        for length, chunk_cache in reversed(list(zip(chunks, caches, strict=True))):
            part = slice(end - length, end)
            stream, later = layer.backward(scratch.Stream(*(each[:, part] for each in gradients)), later, chunk_cache)
            streams.insert(0, stream)
            end -= length
        memory_gradient = memory.zeros()
        layer.start_backward(later, memory, memory_gradient, iter(memory_gradient.finals))
        x = np.concatenate([stream.x for stream in streams], 1)
        contexts = [stream.context for stream in streams]
        context = np.concatenate(contexts, 1) if has_context else np.zeros((ROWS, sum(chunks), WIDTH))
        assert has_context or contexts == [None] * len(chunks)
        return x, context, memory_gradient.states, *memory_gradient.finals[0]

    length = sum(chunks)
    inputs = [random(ROWS, length, WIDTH), random(ROWS, length, WIDTH, seed=4), random(ROWS, SOURCE, WIDTH, seed=5)]
    return layer, forward, backward, [*inputs, random(ROWS, WIDTH, seed=6), random(ROWS, WIDTH, seed=7)]


def stack():
    return scratch.Stack(
        [
            scratch.Recurrent(WIDTH, WIDTH),
            scratch.Attend(scratch.General(WIDTH, WIDTH)),
            scratch.ReadContext(scratch.Recurrent(2 * WIDTH, WIDTH)),
            scratch.Residual(scratch.ReadContext(scratch.Dense(2 * WIDTH, WIDTH))),
        ]
    )


def input_feeding():
    attention_layers = [scratch.Attend(scratch.ScaledDot()), scratch.ReadContext(scratch.Dense(2 * WIDTH, WIDTH))]
    return scratch.InputFeeding(scratch.Stack([scratch.Recurrent(2 * WIDTH, WIDTH), *attention_layers]), WIDTH)


CASES = {
    "Embedding": embedding_case,
    "Affine": lambda: affine_case(True),
    "Affine without bias": lambda: affine_case(False),
    "SoftmaxWithLoss": softmax_with_loss_case,
    "LSTM": lambda: lstm_case(None),
    "LSTM with padding at the end": lambda: lstm_case(MASK),
    "LSTM with padding at the beginning": lambda: lstm_case(MASK[:, ::-1]),
    "Dot": lambda: score_case(scratch.Dot()),
    "ScaledDot": lambda: score_case(scratch.ScaledDot()),
    "General": lambda: score_case(scratch.General(WIDTH, WIDTH)),
    "Additive": lambda: score_case(scratch.Additive(WIDTH, WIDTH)),
    "AttentionWeight, dot": lambda: attention_weight_case(scratch.Dot()),
    "AttentionWeight, scaled dot": lambda: attention_weight_case(scratch.ScaledDot()),
    "WeightSum": weight_sum_case,
    "GRU": lambda: gru_case(None),
    "GRU with padding at the end": lambda: gru_case(MASK),
    "GRU with padding at the beginning": lambda: gru_case(MASK[:, ::-1]),
    "UnidirectionalRNN": lambda: encoder_layer_case(scratch.UnidirectionalRNN(WIDTH, WIDTH)),
    "UnidirectionalRNN, backward": lambda: encoder_layer_case(scratch.UnidirectionalRNN(WIDTH, WIDTH, backward=True)),
    "BidirectionalRNN, concat": lambda: encoder_layer_case(scratch.BidirectionalRNN(WIDTH, WIDTH, merge="concat")),
    "BidirectionalRNN, sum": lambda: encoder_layer_case(scratch.BidirectionalRNN(WIDTH, WIDTH, merge="sum")),
    "BidirectionalRNN, mean": lambda: encoder_layer_case(scratch.BidirectionalRNN(WIDTH, WIDTH, merge="mean")),
    "ResidualEncoderLayer": lambda: encoder_layer_case(
        scratch.ResidualEncoderLayer(scratch.UnidirectionalRNN(WIDTH, WIDTH))
    ),
    "Recurrent": lambda: decoder_layer_case(scratch.Recurrent(WIDTH, WIDTH)),
    "Peek": lambda: decoder_layer_case(scratch.Peek()),
    "Attend": lambda: decoder_layer_case(scratch.Attend(scratch.Dot())),
    "AttendFromPrevious": lambda: decoder_layer_case(previous_query()),
    "AttendFromPrevious in chunks": lambda: decoder_layer_case(previous_query(), chunks=(1, 1)),
    "Attend, additive": lambda: decoder_layer_case(scratch.Attend(scratch.Additive(WIDTH, WIDTH))),
    "Concat": lambda: decoder_layer_case(scratch.Concat(), has_context=True),
    "ReadContext": lambda: decoder_layer_case(
        scratch.ReadContext(scratch.Recurrent(2 * WIDTH, WIDTH)), has_context=True
    ),
    "Dense": lambda: decoder_layer_case(scratch.Dense(WIDTH, WIDTH)),
    "Residual": lambda: decoder_layer_case(scratch.Residual(scratch.Recurrent(WIDTH, WIDTH))),
    "Stack": lambda: decoder_layer_case(stack()),
    "Stack in chunks": lambda: decoder_layer_case(stack(), chunks=(1, 2, 1)),
    "Peek in chunks": lambda: decoder_layer_case(scratch.Peek(), chunks=(1, 2)),
    "InputFeeding": lambda: decoder_layer_case(input_feeding(), chunks=(3,)),
    "LayerNorm": lambda: layer_norm_case(),
    "SelfAttention": lambda: decoder_layer_case(scratch.SelfAttention(WIDTH, 2), chunks=(3,)),
    "SelfAttention in chunks": lambda: decoder_layer_case(scratch.SelfAttention(WIDTH, 2), chunks=(1, 2, 1)),
    "EncoderSelfAttention": lambda: decoder_layer_case(scratch.EncoderSelfAttention(WIDTH, 2), chunks=(SOURCE,)),
    "CrossAttention": lambda: decoder_layer_case(scratch.CrossAttention(WIDTH, WIDTH, 2)),
    "CrossAttention in chunks": lambda: decoder_layer_case(scratch.CrossAttention(WIDTH, WIDTH, 2), chunks=(1, 1)),
    "FeedForward, relu": lambda: decoder_layer_case(scratch.FeedForward(WIDTH, 7, "relu")),
    "FeedForward, gelu": lambda: decoder_layer_case(scratch.FeedForward(WIDTH, 7, "gelu")),
    "PreNorm": lambda: decoder_layer_case(scratch.PreNorm(scratch.FeedForward(WIDTH, 7, "gelu"), WIDTH)),
    "PostNorm": lambda: decoder_layer_case(scratch.PostNorm(scratch.SelfAttention(WIDTH, 2), WIDTH), chunks=(2, 1)),
    "Norm": lambda: decoder_layer_case(scratch.Norm(WIDTH)),
    "SinusoidalPositions": lambda: decoder_layer_case(scratch.SinusoidalPositions(), chunks=(2, 1)),
    "TransformerEncoder": lambda: encoder_layer_case(
        scratch.TransformerEncoder(
            [scratch.PreNorm(scratch.EncoderSelfAttention(WIDTH, 2), WIDTH), scratch.Norm(WIDTH)]
        )
    ),
    "TransformerEncoder, post-norm": lambda: encoder_layer_case(
        scratch.TransformerEncoder([scratch.PostNorm(scratch.EncoderSelfAttention(WIDTH, 4), WIDTH)])
    ),
    "InputFeeding in chunks": lambda: decoder_layer_case(input_feeding(), chunks=(2, 1)),
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_backward_is_the_derivative(make, check_module, random_module):
    part, forward, backward, inputs = make()
    random_module(part)
    check_module(part, forward, backward, inputs)


MODELS = {
    "plain": {},
    "reverse": {},
    "peeky": {"layers": 2},
    "attention": {},
    "bidirectional": {"score": "additive"},
    "stacked": {"merge": "mean"},
    "residual": {},
    "gnmt": {"layers": 3},
    "input_feeding": {"score": "general"},
    "transformer": {"layers": 1, "feed_forward": 6, "heads": 2, "embedding": None},
    "transformer_lstm": {"layers": 1, "feed_forward": 6, "heads": 2, "embedding": None, "norm": "post"},
    "lstm_transformer": {"layers": 1, "feed_forward": 6, "embedding": None, "activation": "gelu", "tie": "all"},
    "language_model": {"layers": 2},
    "transformer_language_model": {"layers": 1, "feed_forward": 6, "heads": 2, "embedding": None},
}


def small_model(name, **options):
    return scratch.build(name, 0 if "language" in name else 9, 9, width=4, **{"embedding": 3} | options)


@pytest.mark.parametrize("name", MODELS)
def test_whole_models(name, check_model, random_module, padded):
    model = random_module(small_model(name, **MODELS[name]))
    source = padded([0, 0, 0]) if "language" in name else padded([3, 1, 2])
    check_model(model, source, padded([2, 3, 1], seed=1))


# --- negative controls ----------------------------------------------------------------------------------------------


def forgets_repeats(self, x_gradient, ids):
    """A token that occurs twice gets only one of its two gradients."""
    self.weight.gradient[ids] += x_gradient


def forgets_the_shared_sum(weights_gradient, weights):
    """As if the softmax of one score did not depend on the others."""
    return weights_gradient * weights


def forgets_the_keys(self, gradient, memory, memory_gradient, finals_gradient):
    """Only the gradient of the states as values, not as keys."""
    states = memory_gradient.states
    states += gradient[1]


def forgets_the_other_direction(self, states_gradient, final_gradient, cache):
    states, h, c = (self._split(gradient) for gradient in (states_gradient, *final_gradient))
    return self.ahead.backward(states[0], (h[0], c[0]), cache[0])


def forgets_the_residual_path(self, gradient, state_gradient, cache):
    return self.inner.backward(gradient, state_gradient, cache)


def forgets_the_division(self, cache):
    gradient = cache.probabilities.copy()
    gradient[np.arange(len(cache.targets)), cache.targets] -= 1
    return gradient


def forgets_the_last_state(lstm_backward):
    return lambda self, h_gradient, state_gradient, cache: lstm_backward(self, h_gradient, None, cache)


def forgets_that_all_shift_the_mean(self, y_gradient, cache):
    normal, deviation = cache
    self.weight.gradient += (y_gradient * normal).sum((0, 1))
    self.bias.gradient += y_gradient.sum((0, 1))
    return y_gradient * self.weight.value / deviation


def forgets_the_padding(lstm_backward):
    return lambda self, h_gradient, state_gradient, cache: lstm_backward(
        self, h_gradient, state_gradient, cache._replace(real=None)
    )


def forgets_c_through_h(cell_backward):
    def backward(self, gates, c_before, tanh_c, dh, dc):
        return cell_backward(self, gates, c_before, np.ones_like(tanh_c), dh, dc)

    return backward


BROKEN = {
    "Embedding": (scratch.Embedding, "backward", lambda _: forgets_repeats),
    "SoftmaxWithLoss": (scratch.SoftmaxWithLoss, "backward", lambda _: forgets_the_division),
    "LSTM": (scratch.LSTM, "backward", forgets_the_last_state),
    "LSTM with padding at the end": (scratch.LSTM, "backward", forgets_the_padding),
    "GRU": (scratch.GRU, "backward", forgets_the_last_state),
    "GRU with padding at the end": (scratch.GRU, "backward", forgets_the_padding),
    "LSTM with padding at the beginning": (scratch.LSTMCell, "backward", forgets_c_through_h),
    "AttentionWeight, dot": (attention, "softmax_backward", lambda _: forgets_the_shared_sum),
    "Attend": (scratch.Attend, "start_backward", lambda _: forgets_the_keys),
    "BidirectionalRNN, sum": (encoder.BidirectionalRNN, "backward", lambda _: forgets_the_other_direction),
    "Residual": (scratch.Residual, "backward", lambda _: forgets_the_residual_path),
    "LayerNorm": (scratch.LayerNorm, "backward", lambda _: forgets_that_all_shift_the_mean),
    "SelfAttention in chunks": (scratch.SelfAttention, "backward", forgets_the_last_state),
    "InputFeeding": (decoder_layers, "add_gradients", lambda _: lambda one, other: other if one is None else one),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_backward_is_found(name, check_module, random_module, monkeypatch):
    owner, method, break_it = BROKEN[name]
    monkeypatch.setattr(owner, method, break_it(getattr(owner, method)))
    part, forward, backward, inputs = CASES[name]()
    random_module(part)
    with pytest.raises(AssertionError, match="off by"):
        check_module(part, forward, backward, inputs)


def test_a_gradient_lost_between_decoder_and_encoder_is_found(check_model, random_module, padded, monkeypatch):
    """The decoder still gets its gradients; only the encoder's are missing."""
    monkeypatch.setattr(decoder_layers.Recurrent, "start_backward", lambda *_: None)
    with pytest.raises(AssertionError, match="encoder"):
        check_model(random_module(small_model("plain")), padded([3, 1, 2]), padded([2, 3, 1]))


# --- edges ----------------------------------------------------------------------------------------------------------


def test_no_real_positions_give_no_loss_and_no_gradient():
    part = scratch.SoftmaxWithLoss()
    loss, cache = part.forward(np.zeros((0, 5), np.float32), np.zeros(0, np.int64))
    assert loss == 0
    assert part.backward(cache).shape == (0, 5)
    assert isinstance(cache, LossCache)


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_of_only_padding_has_no_gradient(name, random_module, padded):
    model = random_module(small_model(name, **MODELS[name]))
    padding = scratch.Padded(np.zeros((2, 3), np.int64), np.zeros(2, np.int64))
    loss, cache = model.forward(padding, padding)
    model.backward(cache)
    assert loss == 0
    assert all(not parameter.gradient.any() for parameter in model.parameters().values())


def test_an_lstm_keeps_its_state_at_padding(random_module):
    lstm = random_module(scratch.LSTM(3, WIDTH))
    state = random(ROWS, WIDTH), random(ROWS, WIDTH, seed=9)
    outputs, (h, c), _ = lstm.forward(random(ROWS, SOURCE, 3), state, MASK)
    for row, length in enumerate(MASK.sum(1)):
        _, (h_alone, c_alone), _ = lstm.forward(
            random(ROWS, SOURCE, 3)[row : row + 1, :length], (state[0][row : row + 1], state[1][row : row + 1])
        )
        np.testing.assert_allclose(h[row], h_alone[0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(c[row], c_alone[0], rtol=0, atol=1e-14)
        for position in range(length, SOURCE):
            np.testing.assert_array_equal(outputs[row, position], outputs[row, length - 1])


def test_the_first_h_follows_the_textbook_equations(random_module):
    """Checks the single tanh for all gates against the equations."""
    lstm = random_module(scratch.LSTM(3, WIDTH))
    x, h, c = random(1, 1, 3), random(1, WIDTH), random(1, WIDTH, seed=8)
    value = {name: parameter.value for name, parameter in lstm.parameters().items()}
    a = value["weight_input"] @ x[0, 0] + value["weight_hidden"] @ h[0] + value["bias"]
    i, f, o = (1 / (1 + np.exp(-a[part * WIDTH : (part + 1) * WIDTH])) for part in (0, 1, 3))
    c_new = f * c[0] + i * np.tanh(a[2 * WIDTH : 3 * WIDTH])
    outputs, (_, c_found), _ = lstm.forward(x, (h, c))
    np.testing.assert_allclose(c_found[0], c_new, atol=1e-14)
    np.testing.assert_allclose(outputs[0, 0], o * np.tanh(c_new), atol=1e-14)


def test_attention_step_by_step_equals_attention_at_once(random_module):
    layer = random_module(scratch.Attend(scratch.General(WIDTH, WIDTH)))
    memory = scratch.Memory(random(ROWS, SOURCE, WIDTH), MASK, ())
    x = random(ROWS, 5, WIDTH, seed=2)
    state = layer.start(memory, iter(()))
    at_once, _, _ = layer.forward(scratch.Stream(x), state)
    for t in range(5):
        step, _, _ = layer.forward(scratch.Stream(x[:, t : t + 1]), state)
        np.testing.assert_allclose(step.context, at_once.context[:, t : t + 1], atol=1e-14)
    np.testing.assert_allclose(at_once.weights.sum(-1), 1, atol=1e-14)
    assert not at_once.weights[~np.broadcast_to(MASK[:, None], at_once.weights.shape)].any()


def test_every_class_with_a_backward_is_checked():
    """A new module missing from CASES is named here."""
    with_backward = {
        name
        for name in scratch.__all__
        if isinstance(member := getattr(scratch, name), type)
        and issubclass(member, Module)
        and hasattr(member, "backward")
    }
    whole = {"ScratchSeq2Seq", "Encoder", "NoSource", "Decoder"}
    checked_within_others = {"Cell", "DirectedRNN", "Layer"}
    checked = {name.split(",")[0].split(" ")[0] for name in CASES}
    assert with_backward - whole - checked_within_others <= checked
