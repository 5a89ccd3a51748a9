#!/usr/bin/env bash
# Fuzzes every parser for so many seconds each, with cargo-fuzz, which is built once into .tools:
#   scripts/fuzz.sh SECONDS [TARGET…]
# What is found lies in fuzz/artifacts/TARGET, and ends the run. Stable Rust will do: the code has no `unsafe`,
# so that a sanitizer would find nothing in it.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzz=$(scripts/install-crate.sh cargo-fuzz 0.13.2)
seconds=$1
shift
targets=${*:-$("$fuzz" list)}
for target in $targets; do
    seeds=fuzz/seeds/$target
    [ "$target" != event ] || seeds=events
    mkdir -p "fuzz/corpus/$target"
    "$fuzz" run --sanitizer none "$target" "fuzz/corpus/$target" "$seeds" -- -max_total_time="$seconds" -verbosity=0 -print_funcs=0
    echo "$target: nothing found in $seconds seconds"
done
