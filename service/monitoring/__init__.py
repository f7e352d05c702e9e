"""Log, metrics, request ids, timings and heartbeat: the view of an operator.

Scores are kept in service/verification.
"""
