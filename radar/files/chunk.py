"""Arrays as HDF5 stores a chunk with the filters shuffle and deflate; h5py then copies the bytes only once."""

from __future__ import annotations

import zlib
from typing import Any

import numpy.typing as npt

from radar.counts import shuffled


def deflated(values: npt.NDArray[Any]) -> bytes:
    """Shuffle and deflate an array, as fast as zlib can.

    Shuffled bytes come in runs of equal values. Matching runs alone is faster than zlib's level 1, and the result for
    rain is smaller.
    """
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return packer.compress(shuffled(values)) + packer.flush()
