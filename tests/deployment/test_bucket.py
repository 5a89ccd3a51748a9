"""scripts/bucket.py on buckets that others have configured as well."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from common import REGION, ROOT, client, create, make_bucket, template

TEMPLATE = template()
# What somebody else has configured.
FOREIGN = {
    "QueueConfigurations": [
        {
            "Id": "of-somebody-else",
            "QueueArn": "arn:aws:sqs:eu-central-1:000000000000:theirs",
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "logs/"}]}},
        }
    ]
}
RULE = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}


def run(script, action, name, **variables):
    """The script on a stack: its exit status, and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "stack.json"
        given = {"BucketName": "any"}
        answers.write_text(json.dumps({"stack": name, "region": REGION, "parameters": given}), encoding="utf-8")
        environment = {**os.environ, "ANSWERS": str(answers), **variables}
        command = [sys.executable, ROOT / "scripts" / script, *action]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def configuration(bucket):
    found = client("s3").get_bucket_notification_configuration(Bucket=bucket)
    found.pop("ResponseMetadata")
    return found


def rules(bucket):
    try:
        return client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except client("s3").exceptions.ClientError:
        return []


class Bucket(unittest.TestCase):
    def stack(self, name, **parameters):
        """A stack for the bucket of this name, and a queue of somebody else's."""
        for bucket in {name, parameters.get("FinalBucketName") or name}:
            make_bucket(bucket)
        client("sqs").create_queue(QueueName="theirs")
        return create(TEMPLATE, {"BucketName": name, **parameters}, name)

    def test_it_is_connected_once_and_taken_away_again(self):
        for number, (trigger, output) in enumerate([(t, o) for t in ("direct", "queue") for o in ("each", "single")]):
            name = f"connected-{number}"
            made = self.stack(name, Trigger=trigger, Output=output)
            client("s3").put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=FOREIGN)
            client("s3").put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [RULE]})
            before = configuration(name), rules(name)

            status, said = run("bucket.py", ["add"], name)
            self.assertEqual(status, 1, said)
            self.assertIn("say YES=1", said)
            self.assertEqual((configuration(name), rules(name)), before, "nothing without a yes")

            status, said = run("bucket.py", ["add"], name, YES="1")
            self.assertEqual(status, 0, said)
            self.assertIn(f'"Id": "{name}/', said)
            found = configuration(name)
            entries = [entry for one in found.values() for entry in one]
            ids = {entry["Id"] for entry in entries}
            own = {f"{name}/objects"} if output == "each" else {f"{name}/manifests", f"{name}/sidecars"}
            self.assertEqual(ids, own | {"of-somebody-else"})
            targets = {entry.get("LambdaFunctionArn", entry.get("QueueArn")) for entry in entries if entry["Id"] in own}
            self.assertEqual(targets, {made["outputs"]["EventsArn" if trigger == "queue" else "FunctionArn"]})
            of_single = [f"{name}/intermediates"] if output == "single" else []
            self.assertEqual([rule["ID"] for rule in rules(name)], ["theirs", f"{name}/uploads", *of_single])
            self.assertEqual(rules(name)[1]["Filter"], {"Prefix": "final/"})
            if output == "single":
                self.assertEqual(rules(name)[2]["Filter"], {"Prefix": ".unload-header/"})
                self.assertEqual(rules(name)[2]["Expiration"]["Days"], 2)
                self.assertEqual(rules(name)[2]["AbortIncompleteMultipartUpload"], {"DaysAfterInitiation": 2})
                self.assertEqual(rules(name)[2]["NoncurrentVersionExpiration"]["NoncurrentDays"], 1)

            status, said = run("bucket.py", ["add"], name)
            self.assertEqual((status, said), (0, "No change.\n"))
            status, said = run("bucket.py", ["remove"], name, YES="1")
            self.assertEqual((configuration(name), rules(name)), before, said)
            self.assertEqual(run("bucket.py", ["remove"], name), (0, "No change.\n"))

    def test_event_bridge_is_switched_on_and_nothing_else_touched(self):
        name = "bridged"
        self.stack(name, Trigger="eventbridge")
        client("s3").put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=FOREIGN)
        before = configuration(name)
        self.assertEqual(run("bucket.py", ["add"], name, YES="1")[0], 0)
        self.assertEqual(configuration(name), {**before, "EventBridgeConfiguration": {}})
        self.assertEqual(run("bucket.py", ["add"], name), (0, "No change.\n"))
        status, said = run("bucket.py", ["remove"], name, YES="1")
        self.assertIn("EventBridge stays on", said)
        self.assertEqual((configuration(name), rules(name)), ({**before, "EventBridgeConfiguration": {}}, []))

    def test_two_stacks_share_a_bucket(self):
        name = "shared"
        self.stack(name, UnloadPrefix="a/", FinalKey="x/{path}")
        create(TEMPLATE, {"BucketName": name, "UnloadPrefix": "b/", "FinalKey": "y/{path}"}, "shared-2")
        for stack in (name, "shared-2"):
            status, said = run("bucket.py", ["add"], stack, YES="1")
            self.assertEqual(status, 0, said)
        ids = [entry["Id"] for entry in configuration(name)["LambdaFunctionConfigurations"]]
        self.assertEqual(sorted(ids), ["shared-2/objects", "shared/objects"])
        self.assertEqual(len(rules(name)), 2)
        self.assertEqual(run("bucket.py", ["remove"], name, YES="1")[0], 0)
        self.assertEqual([entry["Id"] for entry in configuration(name)["LambdaFunctionConfigurations"]], ["shared-2/objects"])
        self.assertEqual([rule["ID"] for rule in rules(name)], ["shared-2/uploads"])

    def test_an_overlap_is_refused_with_the_others_id(self):
        name = "overlapping"
        self.stack(name, UnloadPrefix="logs/2026/", FinalKey="final/{path}")
        client("s3").put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=FOREIGN)
        status, said = run("bucket.py", ["add"], name, YES="1")
        self.assertEqual(status, 1)
        self.assertIn("'of-somebody-else' for the prefix 'logs/'", said)
        self.assertEqual(rules(name), [], "nothing was changed")

    def test_uploads_are_cleared_away_where_they_are_left(self):
        name, finals = "sources", "finals-of-sources"
        self.stack(name, FinalBucketName=finals, CreateBucket="no")
        self.assertEqual(run("bucket.py", ["add"], name, YES="1")[0], 0)
        self.assertEqual((rules(name), [rule["ID"] for rule in rules(finals)]), ([], [f"{name}/uploads"]))

    def test_another_accounts_bucket_is_left_to_its_owner(self):
        name, finals = "ours", "theirs-of-ours"
        self.stack(name, FinalBucketName=finals, FinalBucketOwner="210987654321")
        status, said = run("bucket.py", ["add"], name, YES="1")
        self.assertEqual((status, rules(name), rules(finals)), (0, [], []), said)
        self.assertIn("theirs-of-ours is the account 210987654321's", said)

    def test_what_aws_refuses_is_told_in_a_line(self):
        name = "gone"
        self.stack(name)
        client("s3").delete_bucket(Bucket=name)
        status, said = run("bucket.py", ["add"], name)
        self.assertEqual(status, 1)
        self.assertIn("NoSuchBucket", said)
        self.assertNotIn("Traceback", said)

    def test_a_stack_that_is_not_there_is_named(self):
        status, said = run("bucket.py", ["add"], "nobodys")
        self.assertEqual(status, 1)
        self.assertIn("there is no stack nobodys in eu-central-1", said)


if __name__ == "__main__":
    unittest.main()
