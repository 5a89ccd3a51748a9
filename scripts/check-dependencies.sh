#!/usr/bin/env bash
# Holds the dependencies against deny.toml with cargo-deny, which is built once into .tools.
set -euo pipefail
cd "$(dirname "$0")/.."
deny=$(scripts/install-crate.sh cargo-deny 0.20.2)
# Advisories are left out: their database is fetched from elsewhere.
"$deny" check bans licenses sources
"$deny" --config deny.toml --manifest-path fuzz/Cargo.toml check bans licenses sources
