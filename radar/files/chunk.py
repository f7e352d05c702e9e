"""Arrays as HDF5 stores a chunk of them with the filters shuffle and deflate; written as that, they are copied once."""

from __future__ import annotations

import zlib
from typing import Any

import numpy.typing as npt

from radar.counts import shuffled


def deflated(values: npt.NDArray[Any]) -> bytes:
    """Shuffled and deflated as fast as it goes.

    What is shuffled repeats itself in runs. Looking for runs alone is faster than zlib's own level 1, and for rain the
    result is smaller.
    """
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return packer.compress(shuffled(values)) + packer.flush()
