"""Rain as CF NetCDF: the reader, the writer, and the conventions that both follow.

ODIM and RYDL, which are HDF5 too, are read in radar/files.
"""
