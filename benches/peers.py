"""What others do in Python: each way is a function, and the process does one job by one of them.

    benches/peers.py NAME

prints a line when its client is there, reads a job as a line of JSON, and prints a line when it is done.
"""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

MIB = 1 << 20
FIRST = 5 * MIB
PART = 8 * MIB


class Upload:
    """A multipart upload."""

    def __init__(self, s3, bucket, key):
        self.s3, self.of, self.parts = s3, {"Bucket": bucket, "Key": key}, []
        self.of["UploadId"] = s3.create_multipart_upload(**self.of)["UploadId"]

    def put(self, number, body):
        self.parts.append({"PartNumber": number, "ETag": self.s3.upload_part(**self.of, PartNumber=number, Body=body)["ETag"]})

    def copy(self, number, source, start, end):
        answer = self.s3.upload_part_copy(
            **self.of, PartNumber=number, CopySource=source, CopySourceRange=f"bytes={start}-{end - 1}"
        )
        self.parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})

    def complete(self):
        parts = sorted(self.parts, key=lambda part: part["PartNumber"])
        self.s3.complete_multipart_upload(**self.of, MultipartUpload={"Parts": parts})


def nothing(s3, job):
    """What Python and boto3 take by themselves."""


def stream(s3, job):
    """As most do it: all bytes come in, in chunks, and go out again as parts."""
    through(s3, job, [job["source"]])


def merge(s3, job):
    """The same with many slices."""
    through(s3, job, job["sources"])


def through(s3, job, keys):
    upload = Upload(s3, job["bucket"], job["target"])
    buffer, number = bytearray(job["header"].encode()), 1
    for key in keys:
        for chunk in s3.get_object(Bucket=job["bucket"], Key=key)["Body"].iter_chunks(MIB):
            buffer += chunk
            if len(buffer) >= PART:
                upload.put(number, bytes(buffer))
                buffer.clear()
                number += 1
    if buffer:
        upload.put(number, bytes(buffer))
    upload.complete()


def smart_open(s3, job):
    """The same by smart_open, as its documentation shows it."""
    from smart_open import open

    uri, client = f"s3://{job['bucket']}/", {"client": s3}
    with open(uri + job["source"], "rb", transport_params=client) as source:
        with open(uri + job["target"], "wb", transport_params=client) as target:
            target.write(job["header"].encode())
            shutil.copyfileobj(source, target, MIB)


def managed_copy(s3, job):
    """boto3's own copy, which can't add a header."""
    s3.copy({"Bucket": job["bucket"], "Key": job["source"]}, job["bucket"], job["target"])


def loop(s3, job):
    """The least that puts a header on by UploadPartCopy, with nothing checked, proved, resumed or logged."""
    bucket, source = job["bucket"], job["source"]
    size = s3.head_object(Bucket=bucket, Key=source)["ContentLength"]
    upload = Upload(s3, bucket, job["target"])

    def first():
        body = s3.get_object(Bucket=bucket, Key=source, Range=f"bytes=0-{FIRST - 1}")["Body"].read()
        upload.put(1, job["header"].encode() + body)

    with ThreadPoolExecutor(job["in_flight"]) as threads:
        parts = [threads.submit(first)]
        rest = size - FIRST
        count = max(1, min(-(-rest // job["part_size"]), rest // FIRST))
        for index in range(count):
            start, end = (FIRST + rest * at // count for at in (index, index + 1))
            copied = {"Bucket": bucket, "Key": source}
            parts.append(threads.submit(upload.copy, index + 2, copied, start, end))
        for part in parts:
            part.result()
    upload.complete()


def s3_concat(s3, job):
    """s3-concat, with the threads that its documentation shows. It takes a prefix, and knows of no header."""
    from s3_concat import S3Concat

    concat = S3Concat(job["bucket"], job["target"], None, s3_client=s3)
    concat.add_files(job["prefix"])
    concat.concat(small_parts_threads=4, main_threads=2)


def main():
    work = globals()[sys.argv[1]]
    s3 = boto3.client("s3", config=Config(max_pool_connections=64, s3={"addressing_style": "path"}))
    print("ready", flush=True)
    work(s3, json.loads(sys.stdin.readline()))
    print("done", flush=True)
    sys.stdin.readline()


main()
