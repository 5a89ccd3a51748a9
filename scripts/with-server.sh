#!/usr/bin/env bash
# Runs a command with an S3 server beside it, and ends the server after it:
#   scripts/with-server.sh seaweedfs|ministack|moto|rclone COMMAND…
# The command finds the server in TEST_S3_ENDPOINT and TEST_S3_SECRET, its name in TEST_S3_SERVER; the access key is "test".
set -euo pipefail
cd "$(dirname "$0")/.."
server=$1
shift
scripts/install.sh servers
bin=$PWD/.tools/servers/bin
data=$(mktemp -d)
pid=
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
    # A bucket takes one volume at first, not seven, and volumes are small: each test has buckets of its own, and
    # there are as many volumes as the free disk has room for.
    WEED_S3_SSE_KEY=x WEED_MASTER_VOLUME_GROWTH_COPY_1=1 "$bin/weed" -logdir=log server -dir=data -ip=127.0.0.1 -ip.bind=127.0.0.1 \
        -master.port=19011 -master.port.grpc=19111 -master.volumeSizeLimitMB=64 \
        -volume.port=19012 -volume.port.grpc=19112 -volume.max=0 \
        -filer -filer.port=19013 -filer.port.grpc=19113 \
        -s3 -s3.port=19010 -s3.port.grpc=19110 -s3.port.iceberg=0 -s3.port.lance=0 -s3.config=s3.json \
        >server.log 2>&1 &
    pid=$!
    cd "$OLDPWD"
    export TEST_S3_ENDPOINT=http://127.0.0.1:19010 TEST_S3_SECRET=testtesttest
    ready=$TEST_S3_ENDPOINT/healthz
    ;;
ministack)
    cd "$data"
    HOME=$data TMPDIR=$data BIND_HOST=127.0.0.1 GATEWAY_PORT=19040 MINISTACK_HOST=127.0.0.1 \
        IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 "$bin/ministack" >server.log 2>&1 &
    pid=$!
    cd "$OLDPWD"
    export TEST_S3_ENDPOINT=http://127.0.0.1:19040 TEST_S3_SECRET=test
    # It keeps the CRC of an object, and refuses the right one of a multipart upload.
    export AWS_REQUEST_CHECKSUM_CALCULATION=when_required
    ready=$TEST_S3_ENDPOINT/_ministack/ready
    ;;
moto)
    "$bin/moto_server" --host 127.0.0.1 --port 19050 >"$data/server.log" 2>&1 &
    pid=$!
    export TEST_S3_ENDPOINT=http://127.0.0.1:19050 TEST_S3_SECRET=test
    ready=$TEST_S3_ENDPOINT/moto-api/
    ;;
rclone)
    mkdir "$data/data"
    # Without --auth-key it looks at no signature.
    HOME=$data "$bin/rclone" serve s3 --addr 127.0.0.1:19060 "$data/data" >"$data/server.log" 2>&1 &
    pid=$!
    export TEST_S3_ENDPOINT=http://127.0.0.1:19060 TEST_S3_SECRET=test
    ready=$TEST_S3_ENDPOINT/
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
