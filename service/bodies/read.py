"""Conversion of a request's body to frames, by its media type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from radar.errors import InvalidRequest
from radar.files.frames import iter_frames
from radar.files.odim import read_composite
from radar.files.open import NamedBytes
from radar.frame import Frame, observed, sequence_of
from radar.sequence import FrameSequence
from service.bodies.json_body import read_json
from service.bodies.json_measure import Bytes
from service.bodies.limits import MOST_FILES, check_files, counted
from service.bodies.npy import read_npy
from service.bodies.posted import Hints, Posted, agree, check_plausible, frames_of_array
from service.errors import BodyTooLarge, UnsupportedBody

ReadHdf5 = Callable[[bytes, str], Frame]
MULTIPART, NPY, JSON = "multipart/form-data", "application/x-npy", "application/json"


@dataclass(frozen=True)
class Body:
    """An undecoded body: files, or the bytes of one array or JSON document."""

    media_type: str
    content: Bytes = b""
    files: Sequence[NamedBytes] = ()


async def receive(request: Request) -> Body | None:
    """The body of a request; None if it is empty.

    Raises
    ------
    UnsupportedBody
        Its media type is not supported.
    InvalidRequest
        The multipart form is malformed or has no field `frames`.
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type == MULTIPART:
        return Body(media_type, files=await _files(request))
    content = await read_whole(request)
    if not content:
        return None
    if media_type not in (NPY, JSON):
        raise UnsupportedBody(
            expected=f"{MULTIPART}, {NPY} or {JSON}",
            got=media_type[:60] or "no Content-Type",
            remedy="send files as field frames (curl -F frames=@FILE), or name the media type in Content-Type",
        )
    return Body(media_type, content)


async def read_whole(request: Request, most: int | None = None) -> Bytes:
    """The whole body; raises BodyTooLarge for more than `most` bytes, a limit below the general one."""
    # Not Request.body, which joins all pieces at the end: 60 ms for 64 MiB.
    content = bytearray()
    async for piece in request.stream():
        if most is not None and len(content) + len(piece) > most:
            raise BodyTooLarge(expected=f"a body of at most {most} bytes", got="more", remedy="send less at a time")
        content += piece
    return content


def decode(
    body: Body, hints: Hints, read_hdf5: ReadHdf5 = read_composite, check: Callable[[], None] = lambda: None
) -> Posted:
    """The frames in a body; raises RaincellError for any fault in them. Do not call it on the event loop.

    Parameters
    ----------
    read_hdf5 : callable
        Reads HDF5; the service passes one that uses another process.
    check : callable
        Called before every frame; raises an error to end decoding.
    """
    if body.media_type == MULTIPART:
        posted = Posted(agree(_sequence(body.files, read_hdf5, check), hints))
    elif body.media_type == NPY:
        posted = frames_of_array(read_npy(body.content), hints)
    else:
        posted = read_json(body.content, hints)
    check_plausible(posted.frames, hints.now)
    return posted


def _sequence(files: Sequence[NamedBytes], read_hdf5: ReadHdf5, check: Callable[[], None]) -> FrameSequence:
    """Files in any order as one sequence, read as in `radar.files.open`, but within the limits."""
    frames = (frame for file in files for frame in iter_frames(file.data, file.name, read_hdf5))
    return sequence_of(counted(observed(_checked(frames, check))))


def _checked(frames: Iterable[Frame], check: Callable[[], None]) -> Iterator[Frame]:
    check()
    for frame in frames:
        yield frame
        check()


async def _files(request: Request) -> list[NamedBytes]:
    try:
        async with request.form(max_files=MOST_FILES + 1, max_fields=MOST_FILES) as form:
            parts = form.getlist("frames")
            check_files(len(parts))
            files = [part for part in parts if isinstance(part, UploadFile)]
            named = [NamedBytes(file.filename or "", await file.read()) for file in files]
    except HTTPException as error:
        raise InvalidRequest(
            expected="a multipart form", got=str(error.detail)[:80], remedy="let the client write it: curl -F"
        ) from None
    except UnicodeError:  # Content-Type may name any of Python's character encodings
        raise InvalidRequest(
            expected="a multipart form in UTF-8", got="names that do not decode", remedy="leave charset= out"
        ) from None
    if not named:
        raise InvalidRequest(
            expected="files in the multipart field frames",
            got="none",
            remedy="curl -F frames=@FILE -F frames=@FILE ...",
        )
    return named
