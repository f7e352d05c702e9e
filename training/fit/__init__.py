"""Training of a network: examples, batches, losses, the loop, and runs that stop and go on.

Data sets are in training/data, retraining in training/retrain.
"""
