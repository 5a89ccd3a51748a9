"""Reads the files that a manifest of final objects lists, with awswrangler, on the S3 server itself.

Its arguments are the server's endpoint, the bucket, and the manifest's key. The rows must be as many as the manifest
counts, and the sizes those that it names.
"""

import json
import sys

import awswrangler
import boto3

endpoint, bucket, key = sys.argv[1:]
awswrangler.config.s3_endpoint_url = endpoint
s3 = boto3.client("s3", endpoint_url=endpoint)
manifest = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
urls = [entry["url"] for entry in manifest["entries"]]
frame = awswrangler.s3.read_csv(urls, sep="|", dtype=str)
if len(frame) != manifest["meta"]["record_count"] or list(frame.columns) != ["id", "name"]:
    sys.exit(f"{len(frame)} rows of {list(frame.columns)}, but {manifest['meta']}")
sizes = {url: awswrangler.s3.size_objects([url])[url] for url in urls}
if sizes != {entry["url"]: entry["meta"]["content_length"] for entry in manifest["entries"]}:
    sys.exit(f"sizes are {sizes}, but {manifest['entries']}")
print(f"awswrangler has read {len(frame)} rows of {len(urls)} files")
