"""For back-fills by S3 Batch Operations, which calls the function for each object of a list, and keeps a report.

`create_job` lists what was unloaded below a prefix before the function was there, and makes a job of it, which runs once
it is confirmed in the console.
"""

from urllib.parse import quote

import boto3


def create_job(account: str, bucket: str, prefix: str, function_arn: str, role_arn: str, output: str = "each") -> str:
    """The job's id. The role may call the function, read the list, and write the report, both in the same bucket."""
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    if output == "single":
        # The manifest starts the job of its unload. `unload-header add` does unloads that have none.
        keys = [key for key in keys if key.endswith("manifest")]
    else:
        keys = [key for key in keys if not key.endswith((".headers", "manifest", "/"))]
    # Keys in the list are percent-encoded, as those of inventories are.
    lines = "".join(f"{bucket},{quote(key)}\n" for key in keys)
    listed = s3.put_object(Bucket=bucket, Key="batch-operations/list.csv", Body=lines.encode())
    job = boto3.client("s3control").create_job(
        AccountId=account,
        ConfirmationRequired=True,
        Description=f"column headers on {len(keys)} objects below s3://{bucket}/{prefix}",
        Operation={"LambdaInvoke": {"FunctionArn": function_arn, "InvocationSchemaVersion": "2.0"}},
        Manifest={
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
            "Location": {
                "ObjectArn": f"arn:aws:s3:::{bucket}/batch-operations/list.csv",
                "ETag": listed["ETag"].strip('"'),
            },
        },
        Report={
            "Enabled": True,
            "Bucket": f"arn:aws:s3:::{bucket}",
            "Prefix": "batch-operations",
            "Format": "Report_CSV_20180820",
            "ReportScope": "AllTasks",
        },
        Priority=10,
        RoleArn=role_arn,
    )
    return job["JobId"]
