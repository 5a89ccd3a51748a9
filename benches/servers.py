"""The S3 server that a measurement runs on, as scripts/with-server.sh tells of it, and objects on it."""

import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

MIB = 1 << 20
GIB = 1 << 30
PART = 64 * MIB
# So much may lie deleted on the server's disk.
GARBAGE = 8 * GIB
ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ["eventid", "eventname", "pricepaid"]
HEADER = "|".join(COLUMNS) + "\n"
ROWS = b"".join(b"%08d|Gotterdammerung|%06d\n" % (number, number) for number in range(MIB // 32))
ENDPOINT = os.environ["TEST_S3_ENDPOINT"]


def environment(endpoint=ENDPOINT):
    """What a tool is told. No tool computes a checksum that S3 does not ask for."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": os.environ["TEST_S3_KEY"],
        "AWS_SECRET_ACCESS_KEY": os.environ["TEST_S3_SECRET"],
        "AWS_REGION": os.environ["TEST_S3_REGION"],
        "AWS_DEFAULT_REGION": os.environ["TEST_S3_REGION"],
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def rows(size, first=0):
    """Rows like those of an unload, in pieces of a mebibyte, no two of which are the same; the last row ends."""
    for start in range(0, size, MIB):
        length = min(MIB, size - start)
        piece = b"%08d" % (first + start // MIB) + ROWS[8:]
        yield piece[: length - 1] + b"\n"


def sha256(pieces):
    total = hashlib.sha256()
    for piece in pieces:
        total.update(piece)
    return total.hexdigest()


class Bucket:
    """A bucket on the server."""

    def __init__(self, name):
        os.environ.update(environment())
        config = Config(max_pool_connections=32, read_timeout=300, s3={"addressing_style": "path"})
        self.s3, self.name, self.deleted = boto3.client("s3", config=config), name, 0
        self.s3.create_bucket(Bucket=name)

    def put(self, key, body):
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def put_rows(self, key, size, first=0, has_crc=False):
        """With `has_crc`, the server keeps a CRC of the whole."""
        crc = {"ChecksumAlgorithm": "CRC32"} if has_crc else {}
        if size <= PART:
            self.s3.put_object(Bucket=self.name, Key=key, Body=b"".join(rows(size, first)), **crc)
            return
        of = {"Bucket": self.name, "Key": key}
        whole = {**crc, "ChecksumType": "FULL_OBJECT"} if has_crc else {}
        of["UploadId"] = self.s3.create_multipart_upload(**of, **whole)["UploadId"]

        def part(number, start):
            body = b"".join(rows(min(PART, size - start), first + start // MIB))
            answer = self.s3.upload_part(**of, PartNumber=number, Body=body, **crc)
            return {"PartNumber": number, **{name: answer[name] for name in ("ETag", "ChecksumCRC32") if name in answer}}

        with ThreadPoolExecutor(2) as threads:
            parts = list(threads.map(part, *zip(*enumerate(range(0, size, PART), 1))))
        self.s3.complete_multipart_upload(**of, MultipartUpload={"Parts": parts})

    def put_all(self, slices):
        """Objects by key: size and the number of the first mebibyte."""
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda one: self.put_rows(*one), slices))

    def sha256(self, key):
        return sha256(self.s3.get_object(Bucket=self.name, Key=key)["Body"].iter_chunks(MIB))

    def delete(self, *keys, size):
        """Deletes objects that have `size` bytes together."""
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda key: self.s3.delete_object(Bucket=self.name, Key=key), keys))
        self.deleted += size
        reclaim = os.environ.get("TEST_S3_RECLAIM")
        if reclaim and self.deleted > GARBAGE:
            urllib.request.urlopen(reclaim, timeout=600).read()
            self.deleted = 0


class Proxy:
    """benches/proxy.py in front of the server."""

    def __init__(self, delay=0.0, tls=()):
        command = [sys.executable, ROOT / "benches/proxy.py", ENDPOINT.removeprefix("http://"), "--delay", str(delay)]
        command += ["--tls", *tls] if tls else []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{int(self.process.stdout.readline())}"

    def taken(self):
        """What has passed since the last call."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()
