"""Readers and writers of radar files, one module for each format, behind `open.open_sequence`.

Grids and frames themselves are in radar/.
"""
