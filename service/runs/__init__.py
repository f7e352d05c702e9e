"""Runs: one forecast for each new frame, computed once and served to everybody. Models are in service/forecasting."""
