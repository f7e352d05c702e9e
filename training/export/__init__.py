"""From a trained network to a version in a model repository: graph, card and proof.

training/promote decides which version serves.
"""
