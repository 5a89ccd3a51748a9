#!/usr/bin/env bash
# Pins the Python tools anew, each with all that it needs and the hashes of its files, from scripts/*.in to scripts/*.txt:
#   scripts/pin.sh [--upgrade]
# It needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."
for list in tools servers readers examples linters peers; do
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
        --no-annotate "$@" "scripts/$list.in" --output-file "scripts/$list.txt"
done
