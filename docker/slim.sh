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

# Symbols for debuggers, in extension modules only: the headers of libraries that wheels carry along were rewritten, and strip
# makes some of those unloadable.
find "$packages" -type f \( -name '*.cpython-*.so' -o -name '*.abi3.so' \) -exec strip --strip-debug {} +
