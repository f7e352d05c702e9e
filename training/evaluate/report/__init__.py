"""The report of an evaluation: one HTML page and its numbers as JSON. Nothing here computes a score."""
