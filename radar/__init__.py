"""The radar domain: grids, frames, files, motion, scores, archive and ledger.

It knows no network, no web and no model.
"""
