#!/usr/bin/env bash
# Makes what a release has, in target/release-files: for each architecture a zip of the function with the licences of all
# that is in it, its SBOM (CycloneDX), and a template that needs no Rust; and the checksums of all.
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
    arm64) target=aarch64-unknown-linux-gnu flag=--arm64 ;;
    x86_64) target=x86_64-unknown-linux-gnu flag=--x86-64 ;;
    *) echo "$architecture is no architecture of Lambda's; there are arm64 and x86_64" >&2 && exit 2 ;;
    esac
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
done
# The template names the first two.
cp LICENSE-APACHE README.md CHANGELOG.md "$out"
(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -l "$out"
