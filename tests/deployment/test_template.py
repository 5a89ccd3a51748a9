"""Each combination of trigger, bucket, output and deletion, made by CloudFormation and looked at."""

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

from botocore.exceptions import ClientError

from common import ACCOUNT, ROOT, client, create, make_bucket, statements_of_role, template, url_of

TEMPLATE = template()
YES_NO, ON_OFF = ("yes", "no"), ("on", "off")


class Combinations(unittest.TestCase):
    def test_every_combination_makes_what_its_trigger_needs(self):
        every = itertools.product(("direct", "eventbridge", "queue"), YES_NO, ("each", "single"), ON_OFF)
        for number, (trigger, creates, output, deletes) in enumerate(every):
            with self.subTest(trigger=trigger, creates=creates, output=output, deletes=deletes):
                self.bucket = f"unloads-{number}"
                if creates == "no":
                    make_bucket(self.bucket)
                given = {"BucketName": self.bucket, "Trigger": trigger, "CreateBucket": creates, "Output": output}
                made = create(TEMPLATE, {**given, "DeleteSource": deletes}, f"stack-{number}")
                self.what_is_always_there(made, output, deletes)
                self.the_role(made, trigger, output, deletes)
                self.who_may_call(made, trigger)
                self.notifications(made, trigger, creates, output)

    def what_is_always_there(self, made, output, deletes):
        of_queue = "EventsArn" in made["outputs"]
        self.assertEqual(made["types"].count("AWS::CloudWatch::Alarm"), 6 if of_queue else 5)
        self.assertEqual(made["types"].count("AWS::CloudWatch::Dashboard"), 1)
        function = client("lambda").get_function_configuration(FunctionName=made["outputs"]["FunctionArn"])
        variables = function["Environment"]["Variables"]
        self.assertEqual((variables["UNLOAD_BUCKET"], variables["BUCKET_OWNER"]), (self.bucket, ACCOUNT))
        self.assertEqual((variables["OUTPUT"], variables["DELETE_SOURCE"]), (output, deletes))
        self.only_by_tls(made["outputs"]["FailedEventsUrl"])

    def only_by_tls(self, url):
        queue = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        statements = {one["Sid"]: one for one in json.loads(queue["Policy"])["Statement"]}
        denial = statements["OnlyByTls"]
        self.assertEqual((denial["Effect"], denial["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))
        return queue, statements

    def the_role(self, made, trigger, output, deletes):
        statements = {one["Sid"]: one for one in statements_of_role(made) if "Sid" in one}
        self.assertEqual("DeleteUnloads" in statements, deletes == "on")
        self.assertEqual("TakeEvents" in statements, trigger == "queue")
        self.assertEqual("WriteIntermediates" in statements, output == "single")
        self.assertEqual("ListIntermediates" in statements, output == "single")
        for sid in ("ReadUnloads", "ListUnloads", "WriteFinals", "ListUploads", "ListFinals"):
            self.assertEqual(statements[sid]["Condition"]["StringEquals"], {"aws:ResourceAccount": ACCOUNT})

    def who_may_call(self, made, trigger):
        functions, arn = client("lambda"), made["outputs"]["FunctionArn"]
        if trigger == "queue":
            (mapping,) = functions.list_event_source_mappings(FunctionName=arn)["EventSourceMappings"]
            self.assertEqual(mapping["EventSourceArn"], made["outputs"]["EventsArn"])
            self.assertEqual(mapping["FunctionResponseTypes"], ["ReportBatchItemFailures"])
            queue, statements = self.only_by_tls(url_of(made["outputs"]["EventsArn"]))
            # Lambda refuses a shorter one than the function's time-out; 48.8 TiB take 5 tries (docs/semantics.md).
            self.assertGreaterEqual(int(queue["VisibilityTimeout"]), 900)
            self.assertGreaterEqual(int(json.loads(queue["RedrivePolicy"])["maxReceiveCount"]), 5)
            conditions = {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{self.bucket}"}}
            conditions["StringEquals"] = {"aws:SourceAccount": ACCOUNT}
            self.assertEqual(statements["Bucket"]["Condition"], conditions)
        else:
            (statement,) = json.loads(functions.get_policy(FunctionName=arn)["Policy"])["Statement"]
            service = {"direct": "s3.amazonaws.com", "eventbridge": "events.amazonaws.com"}[trigger]
            self.assertEqual(statement["Principal"], {"Service": service})
            source = statement["Condition"]["ArnLike"]["AWS:SourceArn"]
            self.assertEqual(source.rsplit(":", 1)[1].split("/")[0], self.bucket if trigger == "direct" else "rule")
            self.assertNotIn("EventsArn", made["outputs"])

    def notifications(self, made, trigger, creates, output):
        found = client("s3").get_bucket_notification_configuration(Bucket=self.bucket)
        found.pop("ResponseMetadata")
        if trigger == "eventbridge":
            rule = client("events").describe_rule(Name=made["ids"]["Rule"])
            detail = json.loads(rule["EventPattern"])["detail"]
            single = [{"wildcard": "unload/*manifest"}, {"wildcard": "unload/*.headers"}]
            self.assertEqual(detail["object"]["key"], single if output == "single" else [{"prefix": "unload/"}])
            self.assertEqual(detail["bucket"]["name"], [self.bucket])
            (target,) = client("events").list_targets_by_rule(Rule=made["ids"]["Rule"])["Targets"]
            self.assertIn("FailedEvents", target["DeadLetterConfig"]["Arn"])
        if creates == "no":
            self.assertEqual(found, {}, "a bucket that was there already is not touched")
        elif trigger == "eventbridge":
            self.assertEqual(found, {"EventBridgeConfiguration": {}})
        else:
            (entries,) = found.values()
            values = [[rule["Value"] for rule in entry["Filter"]["Key"]["FilterRules"]] for entry in entries]
            single = [["unload/", "manifest"], ["unload/", ".headers"]]
            self.assertEqual(values, single if output == "single" else [["unload/"]])
            of_queue = {entry.get("QueueArn") == made["outputs"].get("EventsArn") for entry in entries}
            self.assertTrue(trigger == "direct" or of_queue == {True})


    def test_what_can_not_be_made_is_refused_at_once(self):
        for parameters, why in [
            ({"Trigger": "queue", "ReservedConcurrency": "1"}, "ReservedConcurrency is 2 to 1000, or -1"),
            ({"FinalBucketOwner": "210987654321"}, "FinalBucketOwner needs a FinalBucketName"),
        ]:
            with self.assertRaises(ClientError) as refused:
                create(TEMPLATE, {"BucketName": "refused", **parameters}, "refused")
            self.assertIn(why, str(refused.exception))


class Release(unittest.TestCase):
    def test_a_release_is_deployed_from_its_own_files(self):
        """`sam package` uploads what the template names, as `sam deploy` does first."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("LICENSE-APACHE", "README.md"):
                shutil.copy(ROOT / name, folder)
            with zipfile.ZipFile(Path(folder, "unload-header-arm64.zip"), "w") as code:
                code.writestr("bootstrap", "")
            released = [sys.executable, ROOT / "scripts/released_template.py", "arm64", "unload-header-arm64.zip"]
            text = subprocess.run(released, capture_output=True, text=True, check=True).stdout
            Path(folder, "template-arm64.yaml").write_text(text, encoding="utf-8")
            make_bucket("releases")
            command = [Path(sys.executable).with_name("sam"), "package", "--template-file", "template-arm64.yaml", "--s3-bucket", "releases"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("CodeUri: s3://releases/", done.stdout)


if __name__ == "__main__":
    unittest.main()
