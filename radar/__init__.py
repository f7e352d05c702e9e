"""The radar domain: grids, frames, files, motion, scores, archive and ledger.

It does not depend on a network, a web server or a model.
"""
