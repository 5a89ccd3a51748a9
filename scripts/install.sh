#!/usr/bin/env bash
# Installs one of the lists beside it, pinned, into .tools/<list> of the checkout, once:
#   scripts/install.sh servers
set -euo pipefail
cd "$(dirname "$0")/.."
list=scripts/$1.txt
venv=.tools/$1
if ! cmp -s "$list" "$venv/installed.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$list"
    cp "$list" "$venv/installed.txt"
fi
