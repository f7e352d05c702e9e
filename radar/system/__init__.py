"""The operating system below the program: files written whole, digests, locks, processors and signals.

Nothing here depends on radar.
"""
