"""Digests of real files as wradlib decodes them, for test_wradlib.py, which then needs no wradlib.

Made with wradlib 2.9.6, in an environment of its own, since wradlib is no dependency of this project:

    python -m venv /tmp/wradlib && /tmp/wradlib/bin/pip install wradlib
    cd tests/radar/files
    /tmp/wradlib/bin/python make_wradlib_digests.py $RAINCELL_TEST_DATA > wradlib_digests.json
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

REFLECTIVITY = ("RX", "WX", "EX")


def digest(north_up: Any) -> dict[str, object]:
    """Of float32 values with one kind of NaN, and statistics that help when digests differ."""
    values = np.where(np.isnan(north_up), np.float32(np.nan), north_up).astype("<f4")
    return {
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "missing": int(np.isnan(values).sum()),
        "sum": float(np.nansum(values, dtype=np.float64)),
    }


def place(dataset: Any) -> dict[str, object]:
    """Pixel centres of the corners in metres, as wradlib's xarray engine has them: west, east, south, north."""
    x, y = dataset.x.values, dataset.y.values
    return {"x": [float(x[0]), float(x[-1])], "y": [float(min(y)), float(max(y))]}


def of_radolan(wradlib: Any, source: Any) -> dict[str, object]:
    """Rain in mm/h: the stored amount x 12; reflectivity in dBZ, NaN also where there is clutter."""
    stored, attributes = wradlib.io.read_radolan_composite(source, missing=np.nan)
    if attributes["producttype"] in REFLECTIVITY:
        values = np.asarray(stored, np.float64) / 2 - 32.5
        values.flat[attributes["cluttermask"]] = np.nan
    else:
        values = np.asarray(stored, np.float64) * (3600 / attributes["intervalseconds"])
    if hasattr(source, "seek"):
        source.seek(0)
    return {**digest(values[::-1]), **place(wradlib.io.open_radolan_dataset(source)), "unit": unit(attributes)}


def unit(attributes: dict[str, Any]) -> str:
    return "dBZ" if attributes["producttype"] in REFLECTIVITY else "mm/h"


def of_odim(path: Path) -> dict[str, object]:
    """As wradlib reads HDF5: everything in the file, as it is stored; scaled here by the file's own attributes."""
    import wradlib  # type: ignore[import-not-found]

    stored = wradlib.io.read_generic_hdf5(str(path))
    pixels, said = stored["dataset1/data1/data"]["data"], stored["dataset1/data1/what"]["attrs"]
    values = np.where(pixels == said["nodata"], np.nan, pixels * said["gain"] + said["offset"])
    return {**digest(values), "unit": "mm/h"}


def main(folder: Path) -> dict[str, object]:
    import wradlib

    warnings.filterwarnings("ignore")
    found: dict[str, object] = {}
    for path in sorted(folder.glob("dwd/**/raa01-*")):
        if path.parent.name != "not_frames":
            found[path.name] = of_radolan(wradlib, str(path))
    for path in sorted(folder.glob("dwd/*.h5")):
        found[path.name] = of_odim(path)
    for path in sorted(folder.glob("dwd/*.tar.bz2")):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                opened = archive.extractfile(member)
                assert opened is not None
                found[member.name] = of_radolan(wradlib, io.BytesIO(opened.read()))
    return found


if __name__ == "__main__":
    lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in main(Path(sys.argv[1])).items())
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
