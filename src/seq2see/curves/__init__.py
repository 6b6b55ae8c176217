"""The log of a run read back and drawn."""
