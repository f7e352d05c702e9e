"""Configurations of training runs, read from TOML or JSON and checked before anything is decoded.

The files themselves are in training/configs.
"""
