"""The recent frames of every product: stores, codec, quality control, quarantine and reference forecasts.

Runs that are made from them are in service/runs.
"""
