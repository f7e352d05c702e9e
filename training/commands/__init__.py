"""The commands of `python -m training`, one file each: `add` describes its arguments, and a function runs it."""
