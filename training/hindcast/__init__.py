"""Forecasts from every start of an archive, in parallel, stored and scored. The workers do not need torch."""
