"""Models: cells, the multi-scale stack, the card of every artifact, and the roll-out. Nothing here trains or serves."""
