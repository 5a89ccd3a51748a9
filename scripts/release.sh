#!/usr/bin/env bash
# Makes what a release has, in target/release-files. For each architecture: a zip of the function, and a template for it that
# needs no Rust; the command line as a static binary, and as a wheel. Each has the licences of all that is in it, and an
# SBOM (CycloneDX), which a wheel carries itself. And the checksums of all.
#   scripts/release.sh arm64 x86_64
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(python3 -c 'import tomllib; print(tomllib.load(open("Cargo.toml", "rb"))["workspace"]["package"]["version"])')
if [ "${TAG-v$version}" != "v$version" ]; then
    echo "the tag is $TAG, and the version in Cargo.toml is $version" >&2
    exit 2
fi
scripts/install.sh tools
export PATH="$PWD/.tools/tools/bin:$PATH"
cyclonedx=$(scripts/install-crate.sh cargo-cyclonedx 0.5.9)
out=$PWD/target/release-files
rm -rf "$out"
mkdir -p "$out"
folder=$(mktemp -d)
trap 'rm -rf "$folder"; rm -f {.,local-s3,tests/support}/unload-header-sbom.json' EXIT
for architecture in "$@"; do
    case $architecture in
    arm64) machine=aarch64 flag=--arm64 ;;
    x86_64) machine=x86_64 flag=--x86-64 ;;
    *) echo "$architecture is no architecture of Lambda's; there are arm64 and x86_64" >&2 && exit 2 ;;
    esac
    target=$machine-unknown-linux-gnu
    scripts/target.sh "$architecture"
    cargo lambda build --locked --release --bin bootstrap "$flag"
    mkdir "$folder/$architecture"
    cp target/lambda/bootstrap/bootstrap LICENSE-APACHE LICENSE-MIT "$folder/$architecture"
    python3 scripts/notices.py "$target" >"$folder/$architecture/THIRD-PARTY-NOTICES"
    zip=unload-header-$architecture.zip
    # The same files make the same zip.
    find "$folder/$architecture" -exec touch --date=1980-01-02 {} +
    (cd "$folder/$architecture" && python3 -m zipfile --create "$out/$zip" ./*)
    "$cyclonedx" cyclonedx --format json --target "$target" --override-filename unload-header-sbom >/dev/null
    mv unload-header-sbom.json "$out/unload-header-$architecture.cdx.json"
    python3 scripts/released_template.py "$architecture" "$zip" >"$out/template-$architecture.yaml"

    # With musl, since a static glibc loads the system's own for a host's address. So one wheel is for any Linux.
    target=$machine-unknown-linux-musl
    scripts/target.sh "$architecture" musl
    TARGET=$target scripts/wheel.sh --release --compatibility manylinux2014 musllinux_1_1 --out "$out"
    binary=target/$target/release/unload-header
    if readelf --program-headers "$binary" | grep INTERP >/dev/null; then
        echo "$binary is not static" >&2
        exit 1
    fi
    [ "$machine" != "$(uname --machine)" ] || "$binary" demo >/dev/null
    name=unload-header-linux-$architecture
    mkdir "$folder/$name"
    cp "$binary" LICENSE-APACHE LICENSE-MIT "$folder/$name"
    python3 scripts/notices.py "$target" logins >"$folder/$name/THIRD-PARTY-NOTICES"
    tar --create --gzip --file "$out/$name.tar.gz" --directory "$folder" --sort=name --mtime=1980-01-02 \
        --owner=0 --group=0 --numeric-owner "$name"
    "$cyclonedx" cyclonedx --format json --target "$target" --features logins --override-filename unload-header-sbom >/dev/null
    mv unload-header-sbom.json "$out/$name.cdx.json"
done
# The template names the first two.
cp LICENSE-APACHE README.md CHANGELOG.md "$out"
(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -l "$out"
