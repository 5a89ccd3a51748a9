"""For awswrangler (AWS SDK for pandas), whose `unload_to_files` writes Parquet unless it is told otherwise, and never asks
for a verbose manifest.

`unload_to_csv` unloads to CSV, and names the columns in a sidecar, from which the function puts them on every file.
"""

import json

import awswrangler as wr
import boto3
import redshift_connector


def unload_to_csv(sql: str, path: str, con: redshift_connector.Connection, **settings) -> list[str]:
    """Unloads to s3://bucket/prefix, with settings of `unload_to_files`, and returns the names of the columns."""
    with con.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({sql}) AS unloaded LIMIT 0")
        names = [column[0] for column in cursor.description]
    bucket, prefix = path.removeprefix("s3://").split("/", 1)
    # The names of `partition_cols` may stay in the list: they are left out where the rows lack them.
    sidecar = {"Bucket": bucket, "Key": f"{prefix}.headers"}
    sidecar["Body"] = json.dumps({"columns": names, "options": "FORMAT CSV"})
    s3 = boto3.client("s3")
    s3.put_object(**sidecar)
    # A manifest starts the job where the function has OUTPUT=single.
    wr.redshift.unload_to_files(sql, path, con, unload_format="CSV", manifest=True, **settings)
    if settings.get("cleanpath"):
        # CLEANPATH may have removed it. The events of files that had no names meanwhile are retried.
        s3.put_object(**sidecar)
    return names
