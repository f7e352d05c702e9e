"""Radar files into the archive, in parallel processes. The archive itself is in radar/archive."""
