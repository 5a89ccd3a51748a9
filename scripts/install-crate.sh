#!/usr/bin/env bash
# Builds a program of just this version, once, into .tools/NAME of the checkout, and prints its path:
#   scripts/install-crate.sh NAME VERSION [OPTION OF CARGO…]
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1 version=$2
shift 2
root=$PWD/.tools/$name
if ! grep --quiet --no-messages "^\"$name $version " "$root/.crates.toml"; then
    cargo install --quiet --locked --version "$version" --root "$root" --target-dir "$root/target" "$@" "$name" >&2
    rm -rf "$root/target"
fi
echo "$root/bin/$name"
