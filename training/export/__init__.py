"""Export of a trained network as a version in a model repository: graph, card and checks.

training/promote decides which version is served.
"""
