"""A model exported to C and built as a shared library, in Python without NumPy and without PyTorch.

    from seq2see.native import load

    model = load("dates.so")
    model.predict("september 27, 1994", beam=5)[0].text

Nothing but the standard library is imported.
"""

from seq2see.native.library import NativeModel, load
from seq2see.native.results import NativePrediction

__all__ = ["NativeModel", "NativePrediction", "load"]
