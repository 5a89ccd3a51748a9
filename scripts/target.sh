#!/usr/bin/env bash
# Adds Rust's standard library for an architecture of Lambda's, where rustup has not got it yet; with musl, for static binaries:
#   scripts/target.sh arm64|x86_64 [musl]
set -euo pipefail
case $1 in
arm64) machine=aarch64 ;;
x86_64) machine=x86_64 ;;
*)
    echo "ARCH=$1 is no architecture of Lambda's; there are arm64 and x86_64" >&2
    exit 2
    ;;
esac
target=$machine-unknown-linux-${2:-gnu}
[ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || rustup target add "$target"
