"""Conversion of radar files to the archive, in parallel processes. The archive itself is in radar/archive."""
