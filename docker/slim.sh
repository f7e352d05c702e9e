#!/bin/sh
# Take out of an environment what a running service never opens. Usage: slim.sh ENVIRONMENT
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)

# Tests, sources for compilers and type checkers, and what onnxruntime and numpy bring for those who make models and Fortran modules.
find "$packages" -type d -name tests -prune -exec rm -r {} +
find "$packages" -type f \( -name '*.pyi' -o -name '*.px[di]' -o -name '*.pyx' -o -name '*.[ach]' -o -name '*.hpp' \) -delete
(cd "$packages" && rm -rf numpy/f2py onnxruntime/backend onnxruntime/datasets onnxruntime/quantization onnxruntime/tools onnxruntime/transformers)

# onnxruntime's library for C programs: its Python module has all of that in itself.
find "$packages" -name 'libonnxruntime.so*' -delete

# Symbols for debuggers, in extension modules and GDAL's sqlite. The headers of other libraries that wheels carry along were
# rewritten so that strip makes some of them unloadable.
find "$packages" -type f \( -name '*.cpython-*.so' -o -name '*.abi3.so' \) -exec strip --strip-debug {} +
strip --strip-debug "$packages"/rasterio.libs/libsqlite3*

# One database of coordinate systems for both that bring one: PROJ reads those of later versions, of which rasterio's is one.
ln -sf ../../../../rasterio/proj_data/proj.db "$packages/pyproj/proj_dir/share/proj/proj.db"

# All that is left must still load, and both must find their coordinate systems.
"$1/bin/python" -W error -c 'import cv2, h5py, onnxruntime, pyproj, rasterio.crs, zstandard
assert pyproj.CRS.from_epsg(25832).name == "ETRS89 / UTM zone 32N"
assert rasterio.crs.CRS.from_epsg(25832).is_projected'
