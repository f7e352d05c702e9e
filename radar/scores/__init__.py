"""Scores of forecasts: sums that add up, and functions that read them.

Nothing here reads a file or knows who made a forecast.
"""
