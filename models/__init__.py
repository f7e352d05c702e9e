"""What a model is: cells, the multi-scale stack, the card every artifact carries, and the roll-out."""
