"""Every real file decodes to wradlib's values, to the last bit, on wradlib's pixels; see make_wradlib_digests.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radar.files.frames import iter_frames
from radar.files.radolan import reflectivity_dbz
from radar.frame import Frame
from radar.rain import RainScaling

DIGESTS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("wradlib_digests.json").read_text())
HALF_A_PIXEL = 500.0


def real_frames(folder: Path) -> Iterator[Frame]:
    for pattern in ("dwd/**/raa01-*", "dwd/*.h5", "dwd/*.tar.bz2"):
        for path in sorted(folder.glob(pattern)):
            if path.parent.name == "not_frames":  # refused by name: test_radolan.py
                continue
            yield from iter_frames(path.read_bytes(), path.name)


def digest(values: np.ndarray) -> str:
    one_kind_of_nan = np.where(np.isnan(values), np.float32(np.nan), values).astype("<f4")
    return hashlib.sha256(one_kind_of_nan.tobytes()).hexdigest()


def as_reflectivity(rain_rate: np.ndarray) -> np.ndarray:
    """mm/h back to the nearest of RX's levels: the Z-R relation is ours, the levels are wradlib's."""
    with np.errstate(invalid="ignore"):
        levels = np.rint(2 * RainScaling().to_reflectivity(rain_rate)) / 2
    return np.where(rain_rate == 0, np.float32(-32.5), levels)


def test_every_real_file_decodes_to_wradlibs_values(real_data: Path) -> None:
    frames = {frame.source: frame for frame in real_frames(real_data)}
    assert set(frames) == set(DIGESTS)
    assert len(frames) == 1 + 13 + 12 + 2 + 6 + 25 + 1 + 1
    for name, frame in frames.items():
        wanted = DIGESTS[name]
        values = as_reflectivity(frame.rain_rate) if wanted["unit"] == "dBZ" else frame.rain_rate
        assert int(np.isnan(values).sum()) == wanted["missing"], name
        np.testing.assert_allclose(np.nansum(values, dtype=np.float64), wanted["sum"], rtol=1e-9, err_msg=name)
        assert digest(values) == wanted["sha256"], name


def test_corners_are_wradlibs_to_half_a_pixel(real_data: Path) -> None:
    """To a metre, in fact; the HDF5 file, which wradlib gives no coordinates, is on the same grid as RV."""
    for frame in real_frames(real_data):
        if (wanted := DIGESTS[frame.source].get("x")) is None:
            continue
        x, y = frame.grid.x_metres[[0, -1]], frame.grid.y_metres[[-1, 0]]
        np.testing.assert_allclose(x, wanted, atol=1, err_msg=frame.source)
        np.testing.assert_allclose(y, DIGESTS[frame.source]["y"], atol=1, err_msg=frame.source)


def test_the_hdf5_file_lies_where_its_own_corners_say(real_data: Path) -> None:
    import h5py

    path = real_data / "dwd" / "20250604_1630_RY.h5"
    frame = next(iter(iter_frames(path.read_bytes(), path.name)))
    with h5py.File(path) as file:
        where = dict(file["where"].attrs)
    rows, columns = frame.grid.shape
    for corner, row, column in (
        ("UL", -0.5, -0.5),
        ("UR", -0.5, columns - 0.5),
        ("LL", rows - 0.5, -0.5),
        ("LR", rows - 0.5, columns - 0.5),
    ):
        found = frame.grid.to_row_column(where[f"{corner}_lat"], where[f"{corner}_lon"])
        metres = 1000 * np.hypot(found[0] - row, found[1] - column)
        assert metres < HALF_A_PIXEL, corner


@pytest.mark.parametrize(("code", "dbz"), [(0, -32.5), (65, 0.0), (248, 91.5), (249, np.nan), (250, np.nan)])
def test_levels_of_reflectivity(code: int, dbz: float) -> None:
    np.testing.assert_equal(reflectivity_dbz()[code], np.float32(dbz))
