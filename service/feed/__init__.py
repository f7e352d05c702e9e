"""Following a folder or a web directory of radar files, and putting what comes into history and archive."""
