"""Sources of radar files: folders and web directories, and the names of files in them.

The rest of the feed is in service/feed.
"""
