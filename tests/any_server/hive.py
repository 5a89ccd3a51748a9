"""Reads merged partitions as a data set, as their users do: DuckDB, and awswrangler on the S3 server itself.

Its arguments are the server's endpoint, the bucket, and the folder of the data set. Each partition folder must come
back as a column, with the rows of the object in it.
"""

import os
import sys
import tempfile

import awswrangler
import boto3
import duckdb

EXPECTED = [("1", "a", "2025"), ("2", "b", "2026"), ("3", "c", "2026")]


def by_awswrangler(endpoint, bucket, folder):
    awswrangler.config.s3_endpoint_url = endpoint
    frame = awswrangler.s3.read_csv(f"s3://{bucket}/{folder}", dataset=True, sep="|", dtype=str)
    return sorted(frame[["id", "name", "year"]].astype(str).itertuples(index=False, name=None))


def by_duckdb(endpoint, bucket, folder):
    s3 = boto3.client("s3", endpoint_url=endpoint)
    with tempfile.TemporaryDirectory() as root:
        for number, item in enumerate(s3.list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"]):
            partition = item["Key"].removeprefix(folder).split("/")[0]
            path = f"{root}/{partition}"
            os.makedirs(path, exist_ok=True)
            s3.download_file(bucket, item["Key"], f"{path}/{number}.csv")
        glob = f"{root}/*/*.csv"
        query = f"select id, name, year from read_csv('{glob}', delim='|', all_varchar=true, hive_partitioning=true, hive_types_autocast=false)"
        return sorted(duckdb.sql(query).fetchall())


for reader in by_awswrangler, by_duckdb:
    found = [tuple(row) for row in reader(*sys.argv[1:])]
    if found != EXPECTED:
        sys.exit(f"{reader.__name__} finds {found}, not {EXPECTED}")
print("awswrangler and duckdb have read year from the folders")
