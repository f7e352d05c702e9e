"""The connection to Redis: address, client and errors.

The stores that keep frames, runs and scores in Redis are in their own rooms.
"""
