#!/usr/bin/env bash
# Installs one of the lists beside it into .tools/<list> of the checkout, once. Each file must have the hash that the list
# names (scripts/pin.sh writes them, with all that each needs):
#   scripts/install.sh servers
set -euo pipefail
cd "$(dirname "$0")/.."
list=scripts/$1.txt
venv=.tools/$1
if ! cmp -s "$list" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$list"
    cp "$list" "$venv/installed.txt"
fi
