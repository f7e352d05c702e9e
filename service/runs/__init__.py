"""Runs: one forecast per new frame, computed once and served to everybody."""
