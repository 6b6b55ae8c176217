"""A model as programs of a few dozen kinds of operations, for targets that know no layer.

programs = trace(blueprint, shapes)                recorded from the NumPy runtime
text = to_json(programs)                           beside the weights
model = Replay(read_programs(text), tensors)       in NumPy: the oracle of all targets
"""

from seq2see.program.program import Program, Programs
from seq2see.program.replay import Replay
from seq2see.program.storing import read_programs, to_json
from seq2see.program.tracing import trace

__all__ = ["Program", "Programs", "Replay", "read_programs", "to_json", "trace"]
