#!/bin/sh
# Compiles the C file that Triton would compile at its first use on a GPU, as triton/backends/nvidia/driver.py does,
# and puts it beside triton-cc into VENV/triton. Does nothing where there is no Triton (CPU-only torch).
set -eu
venv=$1
mkdir -p "$venv/triton"
cp "$(dirname "$0")/triton-cc" "$venv/triton/"
source=$(find "$venv" -path '*/triton/backends/nvidia/driver.c')
[ -n "$source" ] || exit 0
include=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths(scheme="posix_prefix")["include"])')
if [ ! -f "$include/Python.h" ]; then # the distribution's own Python keeps its headers in a package
    apt-get update -q
    apt-get install -q -y --no-install-recommends libpython3-dev
    rm -rf /var/lib/apt/lists/*
fi
# The real libcuda comes from the node's driver: an empty one of that name is enough to link against.
stub=$(mktemp -d)
: > "$stub/empty.c"
gcc -shared -Wl,-soname,libcuda.so.1 -o "$stub/libcuda.so.1" "$stub/empty.c"
gcc "$source" -O3 -shared -fPIC -Wno-psabi -Wl,--no-as-needed -o "$venv/triton/cuda_utils.so" \
    -l:libcuda.so.1 -L"$stub" -I"$(dirname "$source")/include" -I"$include"
