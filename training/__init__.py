"""Offline work: data sets, training, evaluation and export. The only room that needs torch to run."""
