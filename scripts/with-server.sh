#!/usr/bin/env bash
# Runs a command with an S3 server beside it, and ends the server after it:
#   scripts/with-server.sh seaweedfs|ministack|garage|moto|rclone COMMAND…
# The command finds the server in TEST_S3_ENDPOINT, TEST_S3_KEY, TEST_S3_SECRET and TEST_S3_REGION, its name in
# TEST_S3_SERVER, and in TEST_S3_RECLAIM what has to be asked for so that deleted objects leave the disk, if anything.
# TEST_S3_PORTS is the first of the ports that it takes, so that two can run side by side.
set -euo pipefail
cd "$(dirname "$0")/.."
server=$1
shift
scripts/install.sh servers
bin=$PWD/.tools/servers/bin
data=$(mktemp -d)
port=${TEST_S3_PORTS:-19010}
pid=
export TEST_S3_KEY=test TEST_S3_REGION=us-east-1
# shellcheck disable=SC2329 # The trap calls it.
end() {
    [ -z "$pid" ] || kill -9 "$pid" || true
    [ -z "$pid" ] || wait "$pid" || true
    rm -rf "$data"
} 2>/dev/null
trap end EXIT

case $server in
seaweedfs)
    mkdir "$data/data" "$data/log"
    echo '{"identities":[{"name":"u","credentials":[{"accessKey":"test","secretKey":"testtesttest"}],
        "actions":["Admin","Read","List","Tagging","Write"]}]}' >"$data/s3.json"
    cd "$data"
    # A bucket takes one volume at first, not seven, and volumes are small, unless TEST_S3_VOLUME_MB says otherwise: each
    # test has buckets of its own, and there are as many volumes as the free disk has room for.
    WEED_S3_SSE_KEY=x WEED_MASTER_VOLUME_GROWTH_COPY_1=1 "$bin/weed" -logdir=log server -dir=data -ip=127.0.0.1 -ip.bind=127.0.0.1 \
        -master.port=$((port + 1)) -master.port.grpc=$((port + 5)) -master.volumeSizeLimitMB="${TEST_S3_VOLUME_MB:-64}" \
        -volume.port=$((port + 2)) -volume.port.grpc=$((port + 6)) -volume.max=0 \
        -filer -filer.port=$((port + 3)) -filer.port.grpc=$((port + 7)) \
        -s3 -s3.port="$port" -s3.port.grpc=$((port + 4)) -s3.port.iceberg=0 -s3.port.lance=0 -s3.config=s3.json \
        >server.log 2>&1 &
    pid=$!
    cd "$OLDPWD"
    export TEST_S3_ENDPOINT=http://127.0.0.1:$port TEST_S3_SECRET=testtesttest
    export TEST_S3_RECLAIM="http://127.0.0.1:$((port + 1))/vol/vacuum?garbageThreshold=0.01"
    ready=$TEST_S3_ENDPOINT/healthz
    ;;
ministack)
    cd "$data"
    HOME=$data TMPDIR=$data BIND_HOST=127.0.0.1 GATEWAY_PORT=$port MINISTACK_HOST=127.0.0.1 \
        IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 "$bin/ministack" >server.log 2>&1 &
    pid=$!
    cd "$OLDPWD"
    export TEST_S3_ENDPOINT=http://127.0.0.1:$port TEST_S3_SECRET=test
    # It keeps the CRC of an object, and refuses the right one of a multipart upload.
    export AWS_REQUEST_CHECKSUM_CALCULATION=when_required
    ready=$TEST_S3_ENDPOINT/_ministack/ready
    ;;
moto)
    "$bin/moto_server" --host 127.0.0.1 --port "$port" >"$data/server.log" 2>&1 &
    pid=$!
    export TEST_S3_ENDPOINT=http://127.0.0.1:$port TEST_S3_SECRET=test
    ready=$TEST_S3_ENDPOINT/moto-api/
    ;;
rclone)
    mkdir "$data/data"
    # Without --auth-key it looks at no signature.
    HOME=$data "$bin/rclone" serve s3 --addr "127.0.0.1:$port" "$data/data" >"$data/server.log" 2>&1 &
    pid=$!
    export TEST_S3_ENDPOINT=http://127.0.0.1:$port TEST_S3_SECRET=test
    ready=$TEST_S3_ENDPOINT/
    ;;
garage)
    # It is built from its sources, once: minutes.
    garage=$(scripts/install-crate.sh garage 2.5.0 --no-default-features --features bundled-libs,lmdb)
    cat >"$data/garage.toml" <<END
metadata_dir = "$data/meta"
data_dir = "$data/data"
db_engine = "lmdb"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:$((port + 1))"
rpc_public_addr = "127.0.0.1:$((port + 1))"
rpc_secret = "$(printf '%064d' 0)"
[s3_api]
api_bind_addr = "127.0.0.1:$port"
s3_region = "us-east-1"
[admin]
api_bind_addr = "127.0.0.1:$((port + 2))"
END
    # It takes no shorter keys.
    export TEST_S3_ENDPOINT=http://127.0.0.1:$port TEST_S3_KEY=testtest TEST_S3_SECRET=testtesttesttest
    GARAGE_DEFAULT_ACCESS_KEY=$TEST_S3_KEY GARAGE_DEFAULT_SECRET_KEY=$TEST_S3_SECRET \
        "$garage" -c "$data/garage.toml" server --single-node --default-access-key >"$data/server.log" 2>&1 &
    pid=$!
    ready=http://127.0.0.1:$((port + 2))/health
    ;;
*)
    echo "no such server: $server" >&2
    exit 2
    ;;
esac

export TEST_S3_SERVER=$server

answers() {
    kill -0 "$pid" && python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=2)' "$ready"
} 2>/dev/null
for _ in $(seq 120); do
    answers && break
    sleep 0.5
done
if ! answers; then
    echo "$server did not start:" >&2
    tail -20 "$data/server.log" >&2
    exit 1
fi
"$@"
