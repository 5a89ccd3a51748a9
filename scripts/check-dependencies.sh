#!/usr/bin/env bash
# Holds the dependencies against deny.toml with cargo-deny, which is built once into .tools. The database of advisories is
# fetched; where that can't be reached, it says so and goes on, unless ADVISORIES=required.
set -euo pipefail
cd "$(dirname "$0")/.."
deny=$(scripts/install-crate.sh cargo-deny 0.20.2)
checks=(bans licenses sources)
database=https://github.com/RustSec/advisory-db
if [ "${ADVISORIES:-}" = required ] || timeout 20 git ls-remote --quiet --exit-code "$database" HEAD >/dev/null 2>&1; then
    checks+=(advisories)
else
    echo "ADVISORIES WERE NOT CHECKED: $database can't be reached" >&2
fi
"$deny" --locked --features cli check "${checks[@]}"
# What logins to AWS need is banned from all else.
"$deny" --locked --features logins check "${checks[@]/bans/sources}"
"$deny" --locked --config deny.toml --manifest-path fuzz/Cargo.toml check "${checks[@]}"
