"""Evaluation of forecasters on events: sums, scores, tables. The scores are defined in radar/scores."""
