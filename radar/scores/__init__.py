"""Scores of forecasts: sums that add up, and functions that read them.

Nothing here reads files, or depends on how a forecast was made.
"""
