"""Models: cells, the multi-scale stack, the card of every artifact, and the roll-out, without training or service."""
