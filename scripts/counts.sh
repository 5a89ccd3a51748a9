#!/usr/bin/env bash
# Counts the instructions and the allocations of the pure core with valgrind, on x86-64, and holds them against
# benches/counts.txt. No clock is in it, so that it tells the same on every machine of that kind:
#   scripts/counts.sh          fails if a case takes more than is allowed
#   scripts/counts.sh write    writes what is allowed anew: what was counted, and a twentieth more
# The test profile's own builds of all dependencies serve; the library alone is built once more, optimized.
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
counts=$(cargo test --locked --workspace --all-features --no-run --bench counts --message-format json \
    --config 'profile.test.package.unload-header.opt-level=3' |
    python3 -c 'import json, sys
built = [json.loads(line) for line in sys.stdin]
print(next(it["executable"] for it in built if it.get("target", {}).get("name") == "counts"))')
exec python3 scripts/counts.py "$counts" benches/counts.txt "$@"
