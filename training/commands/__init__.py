"""The commands of `python -m training`, one file each: `add` its arguments, and a function that runs it."""
