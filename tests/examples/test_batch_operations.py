"""examples/batch_operations.py: the job as S3 takes it, and its tasks done."""

import csv
import json
import subprocess
import unittest
from unittest import mock
from urllib.parse import unquote

import boto3
from botocore.validate import validate_parameters
from common import BUCKET, ROOT, Served, command

from batch_operations import create_job

ACCOUNT = "123456789012"
FUNCTION = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:unload-header"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/batch"


class BatchOperations(Served):
    # So that nothing is done before the job is.
    settings = ("--unload-prefix", "elsewhere/")

    def job(self, prefix, output):
        """The request for a job, held against S3's own model, and the objects that it lists."""
        control, real = mock.Mock(), boto3.client
        control.create_job.return_value = {"JobId": "job"}
        with mock.patch.object(boto3, "client", lambda name: control if name == "s3control" else real(name)):
            self.assertEqual(create_job(ACCOUNT, BUCKET, prefix, FUNCTION, ROLE, output), "job")
        # botocore makes the token.
        asked = {**control.create_job.call_args.kwargs, "ClientRequestToken": "token"}
        validate_parameters(
            asked, boto3.client("s3control").meta.service_model.operation_model("CreateJob").input_shape
        )
        location = asked["Manifest"]["Location"]
        bucket, key = location["ObjectArn"].removeprefix("arn:aws:s3:::").split("/", 1)
        listed = self.s3.get_object(Bucket=bucket, Key=key)
        self.assertEqual(listed["ETag"], f'"{location["ETag"]}"')
        return asked, list(csv.reader(listed["Body"].read().decode().splitlines()))

    def done(self, objects, output):
        """What the function answers to the job's tasks, as S3 gives them to it."""
        event = json.loads((ROOT / "events/batch-operations-2.json").read_text())
        task = event["tasks"][0]
        event["tasks"] = [
            {**task, "taskId": str(number), "s3Bucket": bucket, "s3Key": key}
            for number, (bucket, key) in enumerate(objects)
        ]
        given = [
            command(),
            "event",
            "-",
            "--unload-prefix",
            "unload/",
            "--output",
            output,
            "--unload-options",
            "FORMAT CSV",
        ]
        ran = subprocess.run(given, input=json.dumps(event), capture_output=True, check=True, text=True)
        return [(it["resultCode"], it["resultString"].split(":")[0]) for it in json.loads(ran.stdout)["results"]]

    def put(self, key, text):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())

    def test_each_slice_below_the_prefix_is_a_task(self):
        folder = "unload/old %41 ü+&/"
        self.put(f"{folder}q_.headers", "id")
        slices = [f"{folder}q_{number:04}_part_00" for number in range(3)]
        for key in slices:
            self.put(key, "1\n")
        self.put(f"{folder}q_manifest", "{}")
        asked, objects = self.job(folder, "each")
        self.assertEqual([(bucket, unquote(key)) for bucket, key in objects], [(BUCKET, key) for key in slices])
        self.assertEqual(asked["Operation"]["LambdaInvoke"]["InvocationSchemaVersion"], "2.0")
        self.assertEqual(self.done(objects, "each"), [("Succeeded", "written")] * 3)
        self.assertEqual(self.read(slices[0].replace("unload/", "final/", 1)), b"id\n1\n")

    def test_with_output_single_each_manifest_is_a_task(self):
        for name in ("a", "b"):
            self.put(f"unload/merged/{name}_.headers", "id")
            self.put(f"unload/merged/{name}_0000_part_00", "1\n")
            entry = {"url": f"s3://{BUCKET}/unload/merged/{name}_0000_part_00", "meta": {"content_length": 2}}
            self.put(f"unload/merged/{name}_manifest", json.dumps({"entries": [entry]}))
        _, objects = self.job("unload/merged/", "single")
        self.assertEqual(self.done(objects, "single"), [("Succeeded", "written")] * 2)
        self.assertEqual(self.read("final/merged/b.csv"), b"id\n1\n")


if __name__ == "__main__":
    unittest.main()
