#!/usr/bin/env bash
# Adds Rust's standard library for an architecture of Lambda's, where rustup has not got it yet:
#   scripts/target.sh arm64|x86_64
set -euo pipefail
case $1 in
arm64) target=aarch64-unknown-linux-gnu ;;
x86_64) target=x86_64-unknown-linux-gnu ;;
*)
    echo "ARCH=$1 is no architecture of Lambda's; there are arm64 and x86_64" >&2
    exit 2
    ;;
esac
[ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || rustup target add "$target"
