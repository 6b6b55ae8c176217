"""The models of `seq2see.model` by hand, in NumPy: forward, backward, training, generation. Read docs/by-hand.md.

Attributes, and so the names and shapes of all tensors, are those of the torch model built with the same options:
`model.tensors()` and `model.load(tensors)` exchange weights between the two, and both give the same numbers.
"""

from seq2see.data.batch import Batch, Padded, collate
from seq2see.scratch.architectures import ARCHITECTURES, build
from seq2see.scratch.attention import Additive, AttentionWeight, Dot, General, ScaledDot, WeightSum
from seq2see.scratch.decoder_layers import (
    Attend,
    AttendFromPrevious,
    Concat,
    Dense,
    InputFeeding,
    Peek,
    ReadContext,
    Recurrent,
    Residual,
    Stack,
)
from seq2see.scratch.encoder import (
    BidirectionalRNN,
    DirectedRNN,
    Encoder,
    Memory,
    NoSource,
    ResidualEncoderLayer,
    UnidirectionalRNN,
)
from seq2see.scratch.generate import Answer, Sampler, greedy
from seq2see.scratch.gru import GRU
from seq2see.scratch.initialize import initialize
from seq2see.scratch.layers import Affine, Embedding, LayerNorm, SoftmaxWithLoss
from seq2see.scratch.lstm import LSTM, LSTMCell
from seq2see.scratch.module import Module, Parameter
from seq2see.scratch.optimizers import SGD, Adam, clip_by_norm
from seq2see.scratch.seq2seq import Decoder, ScratchSeq2Seq
from seq2see.scratch.stream import Layer, Stream
from seq2see.scratch.train import DevScores, ProgressReport, ScratchTrainingOptions, evaluate, train
from seq2see.scratch.transformer import (
    CrossAttention,
    EncoderSelfAttention,
    FeedForward,
    Norm,
    PostNorm,
    PreNorm,
    SelfAttention,
    SinusoidalPositions,
    TransformerEncoder,
)

__all__ = [
    "ARCHITECTURES",
    "GRU",
    "LSTM",
    "SGD",
    "Adam",
    "Additive",
    "Affine",
    "Answer",
    "Attend",
    "AttendFromPrevious",
    "AttentionWeight",
    "Batch",
    "BidirectionalRNN",
    "Concat",
    "CrossAttention",
    "Decoder",
    "Dense",
    "DevScores",
    "DirectedRNN",
    "Dot",
    "Embedding",
    "Encoder",
    "EncoderSelfAttention",
    "FeedForward",
    "General",
    "InputFeeding",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "Memory",
    "Module",
    "NoSource",
    "Norm",
    "Padded",
    "Parameter",
    "Peek",
    "PostNorm",
    "PreNorm",
    "ProgressReport",
    "ReadContext",
    "Recurrent",
    "Residual",
    "ResidualEncoderLayer",
    "Sampler",
    "ScaledDot",
    "ScratchSeq2Seq",
    "ScratchTrainingOptions",
    "SelfAttention",
    "SinusoidalPositions",
    "SoftmaxWithLoss",
    "Stack",
    "Stream",
    "TransformerEncoder",
    "UnidirectionalRNN",
    "WeightSum",
    "build",
    "clip_by_norm",
    "collate",
    "evaluate",
    "greedy",
    "initialize",
    "train",
]
