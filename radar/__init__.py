"""The radar domain: grids, frames, files, units, motion and scores. Knows no network and no web."""
