"""The batch job that trains a challenger on an archive and promotes a better one (docs/background/retraining.md).

The training loop is in training/fit.
"""
