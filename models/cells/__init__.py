"""Recurrent cells, one file each. A cell holds equations, without configuration, device or file."""
