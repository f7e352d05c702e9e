"""Forecasts as probabilities of exceeding thresholds: dressed bases, log-odds, rain from them, the forecaster.

Networks are in models/; what they read and how they are rolled out as well.
"""
