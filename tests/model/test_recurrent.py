"""The LSTM against NumPy, and padding that leaves its state exactly unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from seq2see.model import Memory, Padded, Stream
from seq2see.model.dropout import SequenceDropout
from seq2see.model.embedding import Embedding
from seq2see.model.encoder import BidirectionalRNN, Encoder, ResidualEncoderLayer, UnidirectionalRNN
from seq2see.model.recurrent import GRU, LSTM, DirectedRNN, Recurrent

INPUT, WIDTH = 5, 7
LENGTHS = (4, 1, 6, 3)
BOUND = 1e-12


def randomize(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.7 * torch.randn_like(parameter))
    return module.double()


def new_lstm():
    return randomize(LSTM(INPUT, WIDTH))


def rows(lengths=LENGTHS, length=None, width=INPUT):
    """Random inputs [B S I], noise beyond each row's length, and the mask."""
    length = length or max(lengths)
    return torch.randn(len(lengths), length, width).double(), torch.arange(length) < torch.tensor(lengths)[:, None]


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm_by_hand(x, h, c, weight_input, weight_hidden, bias):
    """One row [T I]: outputs [T H] and the last (h, c). Gates in the order input, forget, cell, output."""
    outputs = []
    for x_t in x:
        i, f, g, o = np.split(weight_input @ x_t + weight_hidden @ h + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs), h, c


def weights_of(lstm):
    return [parameter.detach().numpy() for parameter in (lstm.weight_input, lstm.weight_hidden, lstm.bias)]


def framework_lstm(lstm):
    """torch's own with the same weights; its second bias is 0."""
    twin = nn.LSTM(lstm.weight_input.size(1), lstm.width, batch_first=True).double()
    with torch.no_grad():
        twin.weight_ih_l0.copy_(lstm.weight_input)
        twin.weight_hh_l0.copy_(lstm.weight_hidden)
        twin.bias_ih_l0.copy_(lstm.bias)
        twin.bias_hh_l0.zero_()
    return twin


def packed(lstm, x, lengths):
    """Outputs (0 at padding) and finals of torch's LSTM over a PackedSequence."""
    sequence = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    outputs, (h, c) = framework_lstm(lstm)(sequence)
    return nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)[0], h[0], c[0]


def turned(x, lengths):
    """Each row's real positions reversed, with the padding still at the end."""
    out = x.clone()
    for row, length in enumerate(lengths):
        out[row, :length] = x[row, :length].flip(0)
    return out


def close(one, other, bound=BOUND):
    assert one.shape == other.shape
    assert (one - other).abs().max() <= bound


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 2, 6])
@pytest.mark.parametrize("masked", [False, True])
def test_an_lstm_follows_the_textbook_equations(length, masked):
    lstm = new_lstm()
    x, mask = rows((length, length), length)
    h, c = torch.randn(2, 2, WIDTH).double()
    outputs, (last_h, last_c) = lstm(x, (h, c), mask if masked else None)
    for row in range(2):
        by_hand = lstm_by_hand(x[row].numpy(), h[row].numpy(), c[row].numpy(), *weights_of(lstm))
        for ours, expected in zip((outputs[row], last_h[row], last_c[row]), by_hand, strict=True):
            close(ours, torch.from_numpy(expected))


def framework_gru(gru):
    """torch's own with the same weights."""
    twin = nn.GRU(gru.weight_input.size(1), gru.width, batch_first=True).double()
    with torch.no_grad():
        twin.weight_ih_l0.copy_(gru.weight_input)
        twin.weight_hh_l0.copy_(gru.weight_hidden)
        twin.bias_ih_l0.copy_(gru.bias)
        twin.bias_hh_l0.zero_()[-gru.width :].copy_(gru.bias_hidden)
    return twin


@torch.no_grad()
@pytest.mark.parametrize("backward", [False, True])
def test_a_gru_reads_padded_rows_as_torch_reads_packed_ones(backward):
    reader = randomize(DirectedRNN(INPUT, WIDTH, backward=backward, cell="gru"))
    x, mask = rows(LENGTHS, 9)
    outputs, (h,) = reader(x, mask)
    read = turned(x, LENGTHS) if backward else x
    sequence = nn.utils.rnn.pack_padded_sequence(read, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    expected, expected_h = framework_gru(reader.gru)(sequence)
    expected = nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)[0]
    if backward:
        expected = turned(expected, LENGTHS)
    real = mask[:, : expected.size(1)]
    close(outputs[:, : expected.size(1)][real], expected[real])
    close(h, expected_h[0])


@torch.no_grad()
def test_padding_before_the_first_token_leaves_a_gru_at_exactly_zero():
    gru = randomize(GRU(INPUT, WIDTH)).float()
    x = 50 * torch.randn(3, 4, INPUT)
    outputs, (h,) = gru(x, gru.zeros(x), torch.zeros(3, 4, dtype=torch.bool))
    assert not h.any()
    assert not outputs.any()


@torch.no_grad()
@pytest.mark.parametrize("cell", [LSTM, GRU])
def test_one_position_at_a_time_equals_all_at_once(cell):
    network = randomize(cell(INPUT, WIDTH))
    x, _ = rows((6, 6))
    start = tuple(torch.randn(2, WIDTH).double() for _ in network.zeros(x))
    at_once, final = network(x, start)
    state, outputs = start, []
    for position in x.split(1, 1):
        output, state = network(position, state)
        outputs.append(output)
    close(torch.cat(outputs, 1), at_once)
    for one, other in zip(state, final, strict=True):
        close(one, other)


@torch.no_grad()
@pytest.mark.parametrize("extra", [0, 1, 9])
@pytest.mark.parametrize("backward", [False, True])
def test_finals_equal_those_of_torch_over_packed_sequences(backward, extra):
    reader = randomize(DirectedRNN(INPUT, WIDTH, backward=backward))
    x, mask = rows(length=max(LENGTHS) + extra)
    outputs, (h, c) = reader(x, mask)
    expected, expected_h, expected_c = packed(reader.lstm, turned(x, LENGTHS) if backward else x, LENGTHS)
    expected = turned(expected, LENGTHS) if backward else expected
    close(h, expected_h)
    close(c, expected_c)
    for row, length in enumerate(LENGTHS):
        close(outputs[row, :length], expected[row, :length])
    assert torch.isfinite(outputs).all()


@torch.no_grad()
@pytest.mark.parametrize("backward", [False, True])
def test_padding_leaves_h_and_c_unchanged(backward):
    """Each row's h and c equal those of the row alone, with any amount and content of padding."""
    reader = randomize(DirectedRNN(INPUT, WIDTH, backward=backward))
    x, _ = rows()
    alone = [reader(x[row : row + 1, :n], torch.ones(1, n, dtype=torch.bool)) for row, n in enumerate(LENGTHS)]
    for extra in (0, 1, 7, 40):
        for scale in (0.0, 1.0, 100.0):
            padded = torch.cat([x, torch.zeros(len(LENGTHS), extra, INPUT)], 1)
            mask = torch.arange(padded.size(1)) < torch.tensor(LENGTHS)[:, None]
            padded[~mask] = scale * torch.randn_like(padded[~mask])
            _, (h, c) = reader(padded, mask)
            for row, (_, (own_h, own_c)) in enumerate(alone):
                close(h[row : row + 1], own_h)
                close(c[row : row + 1], own_c)


@torch.no_grad()
@pytest.mark.parametrize("layer", ["forward", "backward", "concat", "sum", "mean", "residual"])
def test_encoder_layers_give_each_row_the_same_result_as_alone(layer):
    match layer:
        case "forward" | "backward":
            encoder_layer = UnidirectionalRNN(INPUT, 6, backward=layer == "backward")
        case "residual":
            encoder_layer = ResidualEncoderLayer(BidirectionalRNN(INPUT, INPUT, merge="sum"))
        case _:
            encoder_layer = BidirectionalRNN(INPUT, 6, merge=layer)
    randomize(encoder_layer)
    x, mask = rows(length=9)
    states, (h, c) = encoder_layer(x, mask)
    for row, length in enumerate(LENGTHS):
        own_states, (own_h, own_c) = encoder_layer(x[row : row + 1, :length], mask[row : row + 1, :length])
        close(states[row : row + 1, :length], own_states)
        close(h[row : row + 1], own_h)
        close(c[row : row + 1], own_c)


@torch.no_grad()
def test_backward_reads_the_real_tokens_in_reverse():
    """As a forward LSTM over each row's real tokens reversed, without its padding."""
    lengths = torch.tensor(LENGTHS)
    ids = torch.randint(4, 11, (len(LENGTHS), 8))
    table, kept = Embedding(11, INPUT), SequenceDropout(0.0)
    backward = Encoder(table, [UnidirectionalRNN(INPUT, WIDTH, backward=True)], kept)
    randomize(backward)
    forward = Encoder(table, [UnidirectionalRNN(INPUT, WIDTH)], kept).double()
    forward.load_state_dict(backward.state_dict())
    memory = backward(Padded(ids, lengths))
    for row, length in enumerate(LENGTHS):
        other = forward(Padded(ids[row : row + 1, :length].flip(1), lengths[row : row + 1]))
        for ours, expected in zip(memory.finals[0], other.finals[0], strict=True):
            close(ours[row : row + 1], expected)
        # Its states stay in source order: attention columns are source positions.
        close(memory.states[row : row + 1, :length], other.states.flip(1))


@torch.no_grad()
@pytest.mark.parametrize("merge", ["concat", "sum", "mean"])
def test_merges(merge):
    width = 6
    both = randomize(BidirectionalRNN(INPUT, width, merge=merge))
    x, mask = rows()
    states, (h, c) = both(x, mask)
    (ahead, (h_ahead, c_ahead)), (back, (h_back, c_back)) = both.ahead(x, mask), both.back(x, mask)
    assert ahead.size(-1) == (3 if merge == "concat" else 6)
    for ours, one, other in ((states, ahead, back), (h, h_ahead, h_back), (c, c_ahead, c_back)):
        match merge:
            case "concat":
                expected = torch.cat([one, other], -1)
            case "sum":
                expected = one + other
            case "mean":
                expected = 0.5 * one + 0.5 * other
        close(ours, expected)
        assert ours.size(-1) == width


@torch.no_grad()
def test_a_residual_encoder_layer_adds_its_input_only_to_the_states():
    inner = randomize(UnidirectionalRNN(INPUT, INPUT))
    x, mask = rows()
    states, (h, c) = inner(x, mask)
    added, (own_h, own_c) = ResidualEncoderLayer(inner)(x, mask)
    close(added, x + states)
    close(own_h, h)
    close(own_c, c)


@torch.no_grad()
def test_a_decoder_layer_starts_from_the_encoders_final_state_or_zero():
    layer = randomize(Recurrent(INPUT, WIDTH))
    memory = Memory(torch.randn(2, 3, WIDTH).double(), torch.ones(2, 3, dtype=torch.bool), ())
    final = tuple(torch.randn(2, 2, WIDTH).double())
    h, c = layer.start(memory, iter([final]))
    assert torch.equal(h, final[0])
    assert torch.equal(c, final[1])
    for part in layer.start(memory, iter([])):
        assert torch.equal(part, torch.zeros(2, WIDTH).double())


@torch.no_grad()
def test_dropout_does_not_apply_to_the_carried_state():
    """Dropout is between layers, never between steps."""
    layer = randomize(Recurrent(INPUT, WIDTH, dropout=0.5))
    x, _ = rows((4, 4))
    start = tuple(torch.randn(2, 2, WIDTH).double())
    layer.train()
    _, carried = layer(Stream(x), start, ())
    layer.eval()
    _, expected = layer(Stream(x), start, ())
    close(carried[0], expected[0])
    close(carried[1], expected[1])
