"""The verbs of the command, each a thin function over the library, which is imported only when a verb needs it."""

from peeky.commands.answering import attend, generate, predict, score
from peeky.commands.judging import check, curves, evaluate, pack, report
from peeky.commands.preparing import prepare
from peeky.commands.training import compare, demo, models, train

VERBS = (demo, check, prepare, train, models, compare, predict, generate, score, attend, evaluate, curves, report, pack)
"""In the order in which they are met."""

__all__ = ["VERBS"]
