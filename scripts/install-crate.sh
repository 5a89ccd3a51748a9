#!/usr/bin/env bash
# Builds a cargo tool of just this version, once, into .tools/NAME of the checkout, and prints its path:
#   scripts/install-crate.sh NAME VERSION
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1 version=$2
root=$PWD/.tools/$name
if [ "$("$root/bin/$name" --version 2>/dev/null)" != "$name $version" ]; then
    cargo install --quiet --locked --version "$version" --root "$root" --target-dir "$root/target" "$name" >&2
    rm -rf "$root/target"
fi
echo "$root/bin/$name"
