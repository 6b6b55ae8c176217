"""The models of `seq2see.model` by hand, in NumPy: forward, backward, training, generation. Read docs/by-hand.md.

The attributes of each part, and so the names and shapes of all tensors, are those of the torch model built with the
same words: `model.load(tensors)` and `model.tensors()` go between the two, and both give the same numbers.
"""

from seq2see.data.batch import Batch, Padded, collate
from seq2see.scratch.architectures import ARCHITECTURES, build
from seq2see.scratch.attention import Additive, AttentionWeight, Dot, General, ScaledDot, WeightSum
from seq2see.scratch.decoder_layers import (
    Attention,
    Concat,
    Dense,
    InputFeeding,
    Peek,
    ReadContext,
    Recurrent,
    Residual,
    Stack,
)
from seq2see.scratch.decoders import AttentionDecoder, Decoder, InputFeedingDecoder, PeekyDecoder, PlainDecoder
from seq2see.scratch.encoder import BothWays, DirectedLSTM, Encoder, Memory, NoSource, OneWay, ResidualEncoding
from seq2see.scratch.generate import Answer, Sampler, greedy
from seq2see.scratch.initialize import initialize
from seq2see.scratch.layers import Affine, Embedding, SoftmaxWithLoss
from seq2see.scratch.lstm import LSTM, LSTMCell
from seq2see.scratch.optimizers import SGD, Adam, clip_by_norm
from seq2see.scratch.part import Parameter, Part
from seq2see.scratch.seq2seq import Seq2seq
from seq2see.scratch.stream import Layer, Stream
from seq2see.scratch.train import Evaluation, Recipe, Report, evaluate, train
from seq2see.scratch.transformer import (
    CrossAttention,
    EncoderSelfAttention,
    FeedForward,
    LayerNorm,
    Norm,
    PostNorm,
    PreNorm,
    SelfAttention,
    Sinusoidal,
    TransformerEncoder,
)

__all__ = [
    "ARCHITECTURES",
    "LSTM",
    "SGD",
    "Adam",
    "Additive",
    "Affine",
    "Answer",
    "Attention",
    "AttentionDecoder",
    "AttentionWeight",
    "Batch",
    "BothWays",
    "Concat",
    "CrossAttention",
    "Decoder",
    "Dense",
    "DirectedLSTM",
    "Dot",
    "Embedding",
    "Encoder",
    "EncoderSelfAttention",
    "Evaluation",
    "FeedForward",
    "General",
    "InputFeeding",
    "InputFeedingDecoder",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "Memory",
    "NoSource",
    "Norm",
    "OneWay",
    "Padded",
    "Parameter",
    "Part",
    "Peek",
    "PeekyDecoder",
    "PlainDecoder",
    "PostNorm",
    "PreNorm",
    "ReadContext",
    "Recipe",
    "Recurrent",
    "Report",
    "Residual",
    "ResidualEncoding",
    "Sampler",
    "ScaledDot",
    "SelfAttention",
    "Seq2seq",
    "Sinusoidal",
    "SoftmaxWithLoss",
    "Stack",
    "Stream",
    "TransformerEncoder",
    "WeightSum",
    "build",
    "clip_by_norm",
    "collate",
    "evaluate",
    "greedy",
    "initialize",
    "train",
]
