"""The stores of the history in Redis, shared by all replicas. The same stores in memory are in service/history."""
