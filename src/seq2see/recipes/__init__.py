"""Recipes for the usual uses (seq2see train --recipe), and the projects that begin with them (seq2see new)."""

from typing import TYPE_CHECKING

from seq2see.lazy import lazily

if TYPE_CHECKING:
    from seq2see.recipes.catalog import RECIPES, recipe_values
    from seq2see.recipes.kinds import Kind
    from seq2see.recipes.phones import to_arpabet, to_ipa
    from seq2see.recipes.project import new_project

__all__ = ["RECIPES", "Kind", "new_project", "recipe_values", "to_arpabet", "to_ipa"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "catalog": "RECIPES recipe_values",
        "kinds": "Kind",
        "phones": "to_arpabet to_ipa",
        "project": "new_project",
    },
)
