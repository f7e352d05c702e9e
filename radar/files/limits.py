"""Limits on the size of radar files: strict for uploads, wide for files on an operator's own disk."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_FRAME_PIXELS = 4_500_000
"""Pixels of one frame, from any source; Europe at 2 km (2200 x 1900) fits."""


@dataclass(frozen=True)
class Limits:
    """How large files may be.

    Parameters
    ----------
    frame_bytes : int
        Decompressed bytes of a file with one frame.
    archive_bytes : int
        Decompressed bytes of a tar archive.
    archive_files : int
        Files in a tar archive.
    """

    frame_bytes: int
    archive_bytes: int
    archive_files: int


UPLOADED = Limits(frame_bytes=16 * 2**20, archive_bytes=128 * 2**20, archive_files=64)
"""For uploads. The largest of DWD's frames has 4.2 MB, two hours of RV have 66 MB as binaries."""
FOLLOWED = Limits(frame_bytes=64 * 2**20, archive_bytes=512 * 2**20, archive_files=512)
"""For files that an operator's feed fetches, which are held in memory."""
OWN = Limits(frame_bytes=256 * 2**20, archive_bytes=2**40, archive_files=1_000_000)
"""For files that an operator names: a month of RADKLIM has 8,928 files and 17 GB."""
