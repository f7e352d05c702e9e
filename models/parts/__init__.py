"""Parts of a network other than the paper's: the fine path around the stack, and a U-Net in its place as control.

Cells are in models/cells.
"""
