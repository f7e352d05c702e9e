"""Promotion: the choice of the served version, the guard that rolls back, and the schedule of both.

Versions are made in training/export and training/retrain.
"""
