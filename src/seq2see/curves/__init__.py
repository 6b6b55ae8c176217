"""Learning curves: the log of a run, read and plotted."""
