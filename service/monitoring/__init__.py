"""Log, metrics, request ids, timings and heartbeat, for operators.

Scores are kept in service/verification.
"""
