"""The last frame of a field as a picture: PNG and WebP, with transparent dry pixels."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from radar.colours import MISSING_COLOUR
from radar.sequence import Float32, iso
from service.answers.field import Colours, Field
from service.answers.large import Content

_PNG_HEAD = 33
"""Bytes of the signature and of the first chunk, after which texts may follow."""
_LOSSLESS_WEBP = [cv2.IMWRITE_WEBP_QUALITY, 101]


def to_png(field: Field) -> Content:
    """A PNG, with texts for its content, the owner of the data and the statistic."""
    frames = field.frames
    png = _encode(".png", frames.rain_rate[-1], field.colours, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    lead, time = frames.lead_minutes[-1], iso(frames.valid_times[-1])
    title = f"{field.about}, lead {lead} min, valid {time}"
    texts = {"Title": title, "Copyright": field.attribution, "Statistic": field.statistic}
    chunks = [_text_chunk(name, text) for name, text in texts.items() if text]
    return [b"".join([png[:_PNG_HEAD], *chunks, png[_PNG_HEAD:]])]


def to_webp(field: Field) -> Content:
    """A lossless WebP, the same picture as the PNG."""
    return [_encode(".webp", field.frames.rain_rate[-1], field.colours, _LOSSLESS_WEBP)]


def _encode(extension: str, frame: Float32, scale: Colours, options: list[int]) -> bytes:
    classes = np.digitize(frame, [value for value, _ in scale]).astype(np.uint8)
    classes[np.isnan(frame)] = len(scale) + 1
    _, encoded = cv2.imencode(extension, _palette(scale)[classes], options)
    return bytes(encoded)


def _text_chunk(keyword: str, text: str) -> bytes:
    content = b"tEXt" + f"{keyword}\0{text}".encode("latin-1", "replace")
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _blue_green_red_alpha(colour: str) -> tuple[int, int, int, int]:
    red, green, blue, alpha = bytes.fromhex(f"{colour[1:]:f<8}")
    return blue, green, red, alpha


@lru_cache(maxsize=4)
def _palette(scale: Colours) -> npt.NDArray[np.uint8]:
    colours = ["#00000000", *(colour for _, colour in scale), MISSING_COLOUR]
    return np.array([_blue_green_red_alpha(colour) for colour in colours], np.uint8)
