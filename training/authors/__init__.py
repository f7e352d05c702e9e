"""The authors' research code: its checkpoints, weights, protocol and forecasts.

The project's own training is in training/fit.
"""
