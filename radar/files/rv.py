"""Archives of DWD's nowcast RV: one run in one tar file, a member for each lead time; read, and written for tests.

Until 2025 DWD published `DE1200_RVYYMMDDHHMM.tar.bz2`, RADOLAN binaries whose header has a lead time `VV`; since then
`composite_rv_YYYYMMDD_HHMM.tar`, ODIM HDF5 members `composite_rv_YYYYMMDD_HHMM_PPP-hd5`, PPP the lead time in minutes.
"""

from __future__ import annotations

import bz2
import io
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from radar.errors import InvalidRain, UnreadableFile
from radar.files.hdf5 import is_hdf5
from radar.files.limits import UPLOADED, Limits
from radar.files.odim import Bits, read_composite, write_odim
from radar.files.radolan import read_radolan, write_radolan
from radar.files.radolan_header import is_radolan
from radar.files.tar import members
from radar.frame import Frame, file_label, frames_of
from radar.sequence import FrameSequence, iso

ArchiveForm = Literal["binary", "odim"]

_NEW_NAME = re.compile(r"composite_rv_(\d{8}_\d{4})_(\d{3})-hd5")


def read_archive(
    data: bytes, name: str, read_hdf5: Callable[[bytes, str], Frame] = read_composite, limits: Limits = UPLOADED
) -> Iterator[Frame]:
    """The frames of a tar archive one by one, in its order; nothing of it is unpacked to a disk.

    Parameters
    ----------
    data : bytes
        A tar file of RADOLAN binaries or ODIM HDF5 composites: plain, gzip or bzip2.
    name : str
        The archive's name for messages; frames are named after their members.
    read_hdf5 : callable
        Reads the bytes of one HDF5 member, given its name, e.g. in another process.
    limits : Limits
        How large the archive and its files may be.

    Raises
    ------
    UnreadableFile
        As `radar.files.tar.members`; also for a member that has neither format, is damaged, or belongs to another run
        or lead time than its name.
    """
    for path, contents in members(data, file_label(name), limits):
        member = file_label(path)
        if is_radolan(contents):
            yield read_radolan(contents, member)
        elif is_hdf5(contents):
            yield of_run(read_hdf5(contents, member))
        else:
            raise UnreadableFile(
                expected=f"RADOLAN binaries or ODIM HDF5 composites in {file_label(name)}",
                got=f"neither in {member}",
                remedy="send the archive as DWD publishes it",
            )


def of_run(frame: Frame) -> Frame:
    """A frame with the run in its member's name; raises UnreadableFile if the file itself contradicts the name."""
    named = _NEW_NAME.fullmatch(frame.source)
    if named is None:
        return frame
    made, minutes = _time(named[1], frame.source), int(named[2])
    reference_time = frame.reference_time or made
    if reference_time != made or frame.valid_time != made + timedelta(minutes=minutes):
        raise UnreadableFile(
            expected=f"a forecast made at {iso(made)}, {minutes} minutes ahead, in {frame.source}",
            got=f"one made at {iso(reference_time)} for {iso(frame.valid_time)}",
            remedy="send the archive as DWD publishes it",
        )
    return replace(frame, reference_time=made)


def _time(stamp: str, name: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%d_%H%M").replace(tzinfo=UTC)
    except ValueError:
        raise UnreadableFile(
            expected=f"a time in the name {name}", got=repr(stamp), remedy="name it as DWD does"
        ) from None


def write_archive(sequence: FrameSequence, *, form: ArchiveForm, bits: Bits = 16) -> bytes:
    """A forecast as one archive, as DWD publishes RV: the same sequence gives the same bytes.

    Parameters
    ----------
    sequence : FrameSequence
        A forecast of product RV, on one of DWD's grids.
    form : {"binary", "odim"}
        tar.bz2 of RADOLAN binaries, or plain tar of ODIM HDF5 of quantity ACRR.
    bits : {16, 32}
        Width of ODIM pixels.

    Raises
    ------
    InvalidRain
        The sequence is not a forecast of product RV, or its rain exceeds the range of the form.
    """
    made = sequence.reference_time
    if made is None or sequence.product != "RV":
        kind = "observations" if made is None else f"product {sequence.product or 'without a name'}"
        raise InvalidRain(expected="a forecast of product RV", got=kind, remedy="write single files instead")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for frame, minutes in zip(frames_of(sequence), sequence.lead_minutes, strict=True):
            member, contents = _member(frame, made.astimezone(UTC), minutes, form, bits)
            described = tarfile.TarInfo(member)
            described.size, described.mtime = len(contents), int(made.timestamp())
            archive.addfile(described, io.BytesIO(contents))
    return bz2.compress(stream.getvalue()) if form == "binary" else stream.getvalue()


def _member(frame: Frame, made: datetime, minutes: int, form: ArchiveForm, bits: Bits) -> tuple[str, bytes]:
    if form == "binary":
        return f"DE1200_RV{made:%y%m%d%H%M}_{minutes:03d}", write_radolan(frame)
    return f"composite_rv_{made:%Y%m%d_%H%M}_{minutes:03d}-hd5", write_odim(frame, quantity="ACRR", bits=bits)
