"""How many bytes of runs are kept, and whose go first. The stores themselves are in service/runs."""
