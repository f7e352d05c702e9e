"""Training of a network: examples, batches, losses, the loop, and runs that can be interrupted and resumed.

Data sets are in training/data, retraining in training/retrain.
"""
