"""The verbs of the command, each a thin function over the library, which is imported only when a verb needs it."""

from seq2see.commands.evaluating import check, curves, evaluate, export, pack, report
from seq2see.commands.predicting import align, attend, generate, predict, score
from seq2see.commands.preparing import prepare
from seq2see.commands.serving import serve
from seq2see.commands.training import compare, demo, distill, models, settings, train
from seq2see.commands.validating import cross, tune

VERBS = (
    demo,
    check,
    prepare,
    train,
    models,
    settings,
    compare,
    cross,
    tune,
    distill,
    predict,
    generate,
    score,
    align,
    attend,
    evaluate,
    curves,
    report,
    pack,
    export,
    serve,
)
"""In the order of a typical project."""

__all__ = ["VERBS"]
