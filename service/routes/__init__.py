"""The routes, one file for each group; what they do is elsewhere."""
