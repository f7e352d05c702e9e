"""The evaluation report: one page that needs nothing else, and a file with every number of it."""
