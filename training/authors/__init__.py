"""Compatibility with the research code of MS-RNN's authors: its checkpoints, weights, protocol and forecasts.

The project's own training is in training/fit.
"""
