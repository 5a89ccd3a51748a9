#!/usr/bin/env bash
# Holds the dependencies against deny.toml with cargo-deny, which is built once into .tools/deny.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
deny=.tools/deny/bin/cargo-deny
if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    cargo install --quiet --locked --version "$version" --root .tools/deny --target-dir .tools/deny/target cargo-deny
    rm -rf .tools/deny/target
fi
# Advisories are left out: their database is fetched from elsewhere.
"$deny" check bans licenses sources
