"""The verbs of the command, each a thin function over the library; a verb's module is imported when it is called."""

VERBS = {
    "demo": "training",
    "new": "starting",
    "check": "evaluating",
    "prepare": "preparing",
    "train": "training",
    "models": "training",
    "settings": "training",
    "compare": "training",
    "cross": "validating",
    "tune": "validating",
    "distill": "training",
    "predict": "predicting",
    "generate": "predicting",
    "chat": "chatting",
    "score": "predicting",
    "align": "predicting",
    "attend": "predicting",
    "evaluate": "evaluating",
    "curves": "evaluating",
    "report": "evaluating",
    "pack": "evaluating",
    "export": "evaluating",
    "bench": "evaluating",
    "serve": "serving",
}
"""The module of each verb, in the order of a typical project."""

RUN_FIRST = frozenset(
    {"predict", "generate", "score", "align", "attend", "evaluate", "curves", "report", "pack", "export", "bench"}
)
"""The verbs whose first argument is a run, and whose others are something else."""

EXIT_INTERRUPTED = 130
"""Exit code of a run that was stopped by Ctrl-C or SIGTERM; it can be resumed."""

__all__ = ["EXIT_INTERRUPTED", "RUN_FIRST", "VERBS"]
