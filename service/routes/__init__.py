"""The routes, one file for each group. What they do is in the other rooms."""
