#!/bin/sh
# list_packages.sh IMAGE: writes IMAGE.txt, what the image holds, with the hashes of constraints.txt. A package that is not
# pinned there ends the build. With TORCH_INDEX, torch, torchvision and what is not pinned go to IMAGE-other.txt instead,
# without hashes: they come from that index, whose files constraints.txt does not know.
set -eu
image=$1
uv pip compile --quiet --no-header --no-annotate --extra "$image" --extra tracing --constraints constraints.txt \
    ${TORCH_INDEX:+--index "$TORCH_INDEX" --index-strategy unsafe-best-match} --output-file all.txt pyproject.toml
awk -v other_index="${TORCH_INDEX:+yes}" -v pinned="$image.txt" -v other="$image-other.txt" '
    FILENAME == "constraints.txt" { if ($0 ~ /^[a-z]/) { name = $1 } block[name] = block[name] $0 "\n"; next }
    /^[[:space:]]*(#|$)/ { next }
    ($1 in block) && !(other_index && $1 ~ /^(torch|torchvision)==/) { printf "%s", block[$1] > pinned; next }
    other_index { print > other; next }
    { print $1 " is not pinned in constraints.txt: run make pins" > "/dev/stderr"; failed = 1 }
    END { exit failed }
' constraints.txt all.txt
touch "$image-other.txt"
