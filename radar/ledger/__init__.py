"""The ledger keeps the scores of live forecasts in files that only grow, and adds up old days.

The scores are computed in radar/scores.
"""
