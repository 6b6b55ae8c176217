"""A trained model for where Python is not: an ES module, a page that works offline, the bare programs.

Every target takes the same `Bundle` of programs, weights and vocabularies, and knows no layer.
"""

from seq2see.export.exporting import ENDINGS, ExportedModel, export_run

__all__ = ["ENDINGS", "ExportedModel", "export_run"]
