"""The archive keeps years of observed frames on a disk, one file for each day of a series.

Forecasts go to a hindcast's store, scores to the ledger.
"""
