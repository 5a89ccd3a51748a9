#!/usr/bin/env bash
# Runs the function in cargo-lambda's emulator of Lambda and sends it a sample event:
#   scripts/invoke.sh put
# On the samples' bucket in memory, unless AWS_ENDPOINT_URL_S3 names another S3. The function's own
# settings are taken from the environment; UNLOAD_PREFIX is unload/ where it is not set.
set -euo pipefail
cd "$(dirname "$0")/.."
event=events/$1.json
if [ ! -f "$event" ]; then
    echo "there is no $event; EVENT is one of:" >&2
    basename -s .json events/* >&2
    exit 2
fi
log=$(mktemp)
jobs=()
# shellcheck disable=SC2329 # The trap calls it.
end() {
    kill "${jobs[@]}" || true
    wait || true
    rm -f "$log"
} 2>/dev/null
trap end EXIT

cargo build --locked --quiet --bin bootstrap
if [ -z "${AWS_ENDPOINT_URL_S3:-}" ]; then
    cargo build --locked --quiet --features cli --bin unload-header
    target/debug/unload-header serve 9000 >/dev/null &
    jobs+=($!)
    sleep 1
    kill -0 "${jobs[0]}" || { echo "the bucket in memory could not be served on port 9000" >&2 && exit 1; }
    export AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=testtesttest
    export AWS_REGION=us-east-1
fi
export UNLOAD_PREFIX=${UNLOAD_PREFIX-unload/} AWS_LAMBDA_LOG_FORMAT=JSON
cargo lambda watch --ignore-changes --invoke-address 127.0.0.1 --invoke-port 9001 >"$log" 2>&1 &
jobs+=($!)
for _ in $(seq 240); do
    (exec 3<>/dev/tcp/127.0.0.1/9001) 2>/dev/null && break
    sleep 0.5
done
status=0
cargo lambda invoke bootstrap --invoke-address 127.0.0.1 --invoke-port 9001 --data-file "$event" --output-format json || status=$?
echo "-- the function's log:"
grep '^{' "$log" || true
exit $status
