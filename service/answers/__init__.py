"""What callers get: a nowcast in each media type."""
