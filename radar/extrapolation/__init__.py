"""Forecasts without learning: motion, advection along it, and probabilities from neighbourhoods.

Learned models are in models/.
"""
