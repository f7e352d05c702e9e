"""Recurrent cells, one file each. A cell knows equations, and no configuration, device or file."""
