"""The connection to Redis: address, client, and careful reading of values.

The stores that keep frames, runs and scores there are in their own rooms.
"""
