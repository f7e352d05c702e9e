"""Files written whole, digests, processors and signals: the machine below the program.

Nothing here knows about radar.
"""
