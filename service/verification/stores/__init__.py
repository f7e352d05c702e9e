"""State of verification that replicas share: forecasts that are only scored, and leases of work.

Scores are kept in the ledger (radar/ledger).
"""
