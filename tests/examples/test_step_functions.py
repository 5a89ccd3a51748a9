"""examples/step_functions.asl.json, run by an emulator of Step Functions and S3, which has no Redshift."""

import json
import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

import boto3
from botocore.validate import validate_parameters
from common import BUCKET, EXAMPLES, command
from redshift import Redshift

MACHINE = EXAMPLES / "step_functions.asl.json"
STATEMENT = {"Id": "d9b6c0c9-0747-4bf4-b142-e8883122f766"}
TABLES = "CREATE TABLE sales(id INTEGER, note VARCHAR); INSERT INTO sales VALUES (1, 'a'), (2, 'b'), (3, 'b')"


class StepFunctions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # That of the emulator's own account, which it takes for the bucket's.
        os.environ.update(
            AWS_ENDPOINT_URL_S3=os.environ["TEST_S3_ENDPOINT"], AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1"
        )
        cls.s3 = boto3.client("s3")
        cls.s3.create_bucket(Bucket=BUCKET)
        cls.machines = boto3.client("stepfunctions", endpoint_url=os.environ["TEST_S3_ENDPOINT"])

    def started(self, name, status):
        """An execution in which Redshift answers so. What it is asked is in the output of the first state."""
        machine = json.loads(MACHINE.read_text())
        states = machine["States"]
        for state, said in ("Unload", states["Unload"]["Arguments"]), ("Look at the statement", status):
            states[state] = {"Type": "Pass", "Output": said, "Next": states[state]["Next"]}
        states["Unload"]["Assign"] = {"statement": STATEMENT["Id"]}
        for state in states.values():
            if state["Type"] == "Wait":
                state["Seconds"] = 1
        role = "arn:aws:iam::000000000000:role/states"
        made = self.machines.create_state_machine(name=name, definition=json.dumps(machine), roleArn=role)
        given = json.dumps({"query": "SELECT id, note FROM sales WHERE note = 'b'"})
        return self.machines.start_execution(stateMachineArn=made["stateMachineArn"], name=name, input=given)[
            "executionArn"
        ]

    def ended(self, execution):
        until = time.monotonic() + 60
        while (found := self.machines.describe_execution(executionArn=execution))["status"] == "RUNNING":
            self.assertLess(time.monotonic(), until, "it does not end")
            time.sleep(0.2)
        return found

    def entered(self, execution, state):
        """How often a state was entered, and what came out of it, if anything did."""
        events = self.machines.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        inward = [it["stateEnteredEventDetails"] for it in events if "stateEnteredEventDetails" in it]
        outward = [it["stateExitedEventDetails"] for it in events if "stateExitedEventDetails" in it]
        outputs = [json.loads(it["output"]) for it in outward if it["name"] == state]
        return sum(it["name"] == state for it in inward), outputs

    def entered_twice(self, execution, state):
        until = time.monotonic() + 20
        while self.entered(execution, state)[0] < 2:
            found = self.machines.describe_execution(executionArn=execution)
            self.assertLess(time.monotonic(), until, f"{state} is not entered again: {found}")
            time.sleep(0.2)

    def test_it_waits_for_the_manifest_of_the_final_objects(self):
        execution = self.started("finished", {"Status": "FINISHED"})
        self.entered_twice(execution, "Wait for the final manifest")
        asked = self.entered(execution, "Unload")[1][0]
        validate("redshift-data", "ExecuteStatement", asked)
        redshift = Redshift(TABLES)
        self.addCleanup(redshift.end)
        redshift.run(asked["Sql"])
        place, options = f"s3://{BUCKET}/unload/finished/", "FORMAT CSV MANIFEST VERBOSE"
        settings = ["--unload-prefix", "unload/", "--final-manifest", "on", "--unload-options", options]
        subprocess.run([command(), "add", place, *settings], check=True, capture_output=True)
        ended = self.ended(execution)
        self.assertEqual(ended["status"], "SUCCEEDED", ended)
        manifest = json.loads(ended["output"])["manifest"]
        self.assertEqual(manifest, f"s3://{BUCKET}/final/finished/sales_manifest")
        entries = json.loads(self.s3.get_object(Bucket=BUCKET, Key=manifest.split("/", 3)[3])["Body"].read())["entries"]
        keys = [entry["url"].split("/", 3)[3] for entry in entries]
        texts = [self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
        self.assertEqual(texts, [b"id,note\n2,b\n", b"id,note\n3,b\n"])

    def test_it_waits_for_redshift(self):
        execution = self.started("running", {"Status": "STARTED"})
        self.entered_twice(execution, "Wait for Redshift")
        self.machines.stop_execution(executionArn=execution)

    def test_it_fails_with_redshifts_own_words(self):
        ended = self.ended(self.started("failed", {"Status": "FAILED", "Error": "no table sales"}))
        self.assertEqual(
            (ended["status"], ended["error"], ended["cause"]), ("FAILED", "UnloadFailed", "no table sales")
        )

    def test_it_is_a_state_machine(self):
        said = subprocess.run([Path(sys.executable).parent / "statelint", MACHINE], capture_output=True, text=True)
        self.assertEqual((said.returncode, said.stdout), (0, ""))

    def test_what_it_asks_of_services_is_what_they_take(self):
        """The arguments that are not asked for above: the emulator does not look at the names of S3's."""
        states = json.loads(MACHINE.read_text())["States"]
        validate("redshift-data", "DescribeStatement", states["Look at the statement"]["Arguments"])
        validate("s3", "ListObjectsV2", states["Look for the final manifest"]["Arguments"])


def validate(service, operation, asked):
    """Holds arguments against the service's own model."""
    validate_parameters(asked, boto3.client(service).meta.service_model.operation_model(operation).input_shape)


if __name__ == "__main__":
    unittest.main()
