"""A trained model for where Python is not: a page that works offline, an ES module, ONNX, the bare programs.

Every target takes the same `Bundle` of programs, weights and vocabularies, and knows no layer; but for CTranslate2,
which has layers of its own.
"""

from seq2see.export.exporting import ENDINGS, ExportedModel, export_run

__all__ = ["ENDINGS", "ExportedModel", "export_run"]
