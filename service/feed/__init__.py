"""The feed follows a source of radar files and puts each new frame into history and archive.

Sources are in service/feed/sources.
"""
