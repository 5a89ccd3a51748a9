"""A stack's upgrade, a failed one, and its removal."""

import copy
import json
import unittest

from botocore.exceptions import ClientError

from common import client, create, template

TEMPLATE = template()


class Lifetime(unittest.TestCase):
    def update(self, name, body, **parameters):
        """Updates a stack, and says how that ended. What is not given stays."""
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        given += [{"ParameterKey": "BucketName", "UsePreviousValue": True}]
        given += [{"ParameterKey": "CreateBucket", "UsePreviousValue": True}]
        stacks = client("cloudformation")
        stacks.update_stack(StackName=name, TemplateBody=json.dumps(body), Parameters=given, Capabilities=["CAPABILITY_IAM"])
        try:
            stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        except Exception:
            pass
        return stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]

    def variables(self, made):
        function = client("lambda").get_function_configuration(FunctionName=made["outputs"]["FunctionArn"])
        return function["Environment"]["Variables"]

    def test_an_upgrade_keeps_what_is_there(self):
        made = create(TEMPLATE, {"BucketName": "upgraded", "CreateBucket": "yes"}, "upgraded")
        client("s3").put_object(Bucket="upgraded", Key="unload/q_000", Body=b"1\n")
        client("sqs").send_message(QueueUrl=made["outputs"]["FailedEventsUrl"], MessageBody="{}")
        self.assertEqual(self.update("upgraded", TEMPLATE, Bom="on", Output="single"), "UPDATE_COMPLETE")
        variables = self.variables(made)
        self.assertEqual((variables["BOM"], variables["OUTPUT"], variables["UNLOAD_BUCKET"]), ("on", "single", "upgraded"))
        self.assertEqual(client("s3").get_object(Bucket="upgraded", Key="unload/q_000")["Body"].read(), b"1\n")
        found = client("sqs").receive_message(QueueUrl=made["outputs"]["FailedEventsUrl"])
        self.assertEqual(found["Messages"][0]["Body"], "{}")

    def test_an_upgrade_that_fails_is_rolled_back(self):
        made = create(TEMPLATE, {"BucketName": "rolled", "CreateBucket": "yes"}, "rolled")
        broken = copy.deepcopy(TEMPLATE)
        # The emulator makes no alarm by metric math, so that this can't be made.
        broken["Resources"]["Broken"] = {
            "Type": "AWS::CloudWatch::Alarm",
            "DependsOn": "Function",
            "Properties": {"Metrics": [], "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1},
        }
        self.assertEqual(self.update("rolled", broken, Bom="on"), "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual(self.variables(made)["BOM"], "off")

    def test_the_bucket_stays_when_the_stack_goes(self):
        made = create(TEMPLATE, {"BucketName": "kept", "CreateBucket": "yes", "Trigger": "queue"}, "kept")
        client("s3").put_object(Bucket="kept", Key="final/q_000", Body=b"1\n")
        stacks = client("cloudformation")
        stacks.delete_stack(StackName="kept")
        stacks.get_waiter("stack_delete_complete").wait(StackName="kept", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        self.assertEqual(client("s3").get_object(Bucket="kept", Key="final/q_000")["Body"].read(), b"1\n")
        policy = client("s3").get_bucket_policy(Bucket="kept")["Policy"]
        self.assertIn("OnlyByTls", policy)
        with self.assertRaises(ClientError):
            client("lambda").get_function(FunctionName=made["outputs"]["FunctionArn"])
        queues = client("sqs").list_queues(QueueNamePrefix="kept").get("QueueUrls", [])
        self.assertEqual(queues, [], "the events and the failed events are gone")


if __name__ == "__main__":
    unittest.main()
