#!/usr/bin/env bash
# Makes a Python wheel of the command line in target/wheels, with the licences of all that is in it. TARGET is another
# machine's, for which Zig links it:
#   [TARGET=aarch64-unknown-linux-musl] scripts/wheel.sh [OPTION OF MATURIN…]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh tools
export PATH="$PWD/.tools/tools/bin:$PATH"
trap 'rm -f THIRD-PARTY-NOTICES' EXIT
python3 scripts/notices.py "${TARGET:-$(rustc --print host-tuple)}" logins >THIRD-PARTY-NOTICES
maturin build ${TARGET:+--zig --target "$TARGET"} "$@"
