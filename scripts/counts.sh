#!/usr/bin/env bash
# Counts the instructions and the allocations of the pure core with valgrind, on x86-64, and holds them against
# benches/counts.txt. No clock is in it, so that it tells the same on every machine of that kind:
#   scripts/counts.sh          fails if a case takes more than is allowed
#   scripts/counts.sh write    writes what is allowed anew: what was counted, and a twentieth more
# The tests' own builds of all dependencies serve; the library alone is built once more, somewhat optimized. An example
# needs no binaries, which a bench would build as well.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(uname -m)" != x86_64 ]; then
    echo "nothing is counted on $(uname -m): what is allowed is for x86-64" >&2
    exit 0
fi
if ! command -v valgrind >/dev/null; then
    if ! command -v apt-get >/dev/null; then
        echo "valgrind is not installed: https://valgrind.org" >&2
        exit 2
    fi
    root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    "${root[@]}" apt-get -q update
    "${root[@]}" apt-get -qy install valgrind
fi
cargo build --locked --workspace --all-features --profile test --example counts \
    --config 'profile.test.package.unload-header.opt-level=1'
exec python3 scripts/counts.py target/debug/examples/counts benches/counts.txt "$@"
