"""The batch job that trains a challenger on an archive and promotes it only on proof (docs/background/retraining.md).

The training loop is in training/fit.
"""
