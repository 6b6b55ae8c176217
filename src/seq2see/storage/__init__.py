"""Files written whole or not at all, locks, packed archives, weights, model folders and checkpoints."""
