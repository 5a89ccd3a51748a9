#!/usr/bin/env bash
# Builds the function in several ways, each in a folder of its own below FOLDER, and prints them as NAME=BINARY, one a line:
#   scripts/builds.sh FOLDER [NAME…]
# Each takes minutes. `make bench-builds` measures them.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
shift
names=("$@")
[ $# -gt 0 ] || names=(thin fat none s z no-jitter ring features)
for name in "${names[@]}"; do
    manifest=Cargo.toml
    # All but one differ from `thin` in one thing. .cargo/config.toml builds the function as `no-jitter` is.
    variables=(AWS_LC_SYS_NO_JITTER_ENTROPY=0)
    case $name in
    thin) ;;
    fat) variables+=(CARGO_PROFILE_RELEASE_LTO=fat) ;;
    none) variables+=(CARGO_PROFILE_RELEASE_LTO=off) ;;
    s | z) variables+=("CARGO_PROFILE_RELEASE_OPT_LEVEL=$name") ;;
    no-jitter) variables=(AWS_LC_SYS_NO_JITTER_ENTROPY=1) ;;
    ring | features)
        # The same sources with the other TLS library, or with the default features of the AWS SDK.
        sources=$folder/$name-sources
        mkdir -p "$sources"
        cp -r Cargo.toml Cargo.lock src tests benches examples local-s3 "$sources/"
        manifest=$sources/Cargo.toml
        if [ "$name" = ring ]; then
            sed -i -e 's/"default-https-client", //' -e 's/"rustls-aws-lc"/"rustls-ring"/' "$manifest"
            sed -i 's/CryptoMode::AwsLc/CryptoMode::Ring/' "$sources/src/s3/client.rs"
        else
            sed -i '/^aws-\(config\|sdk-s3\) /s/default-features = false, //' "$manifest"
        fi
        ;;
    *)
        echo "no such build: $name" >&2
        exit 2
        ;;
    esac
    echo "$name" >&2
    env "${variables[@]}" cargo build --quiet --release --bin bootstrap --manifest-path "$manifest" --target-dir "$folder/$name" >&2
    echo "$name=$folder/$name/release/bootstrap"
done
