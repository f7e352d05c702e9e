"""Rain as CF NetCDF: the reader, the writer, and the conventions that both follow.

HDF5 of ODIM and RYDL is read in radar/files.
"""
