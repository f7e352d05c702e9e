"""Forecasts from every start of an archive, in parallel, kept and scored. Its workers need no torch."""
