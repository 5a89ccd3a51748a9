"""Events as a server of AWS's interfaces delivers them: an object is put, a queue gets the event, and the real function
is given it as Lambda would."""

import json
import time
import unittest

from common import ACCOUNT, REGION, client, make_bucket
from runtime import Function

BUCKET = "delivered"
ODD = "by artist & city/city=Köln+Bonn/"


class Delivery(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        make_bucket(BUCKET)
        sqs, sns, events = client("sqs"), client("sns"), client("events")
        names = ("by-s3", "by-sns", "by-sns-raw", "by-eventbridge")
        cls.urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in names}
        arn = {name: f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}" for name in names}
        topic = sns.create_topic(Name="unloads")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["by-sns"])
        raw = {"RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["by-sns-raw"], Attributes=raw)
        pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [BUCKET]}}}
        events.put_rule(Name="unloads", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="unloads", Targets=[{"Id": "queue", "Arn": arn["by-eventbridge"]}])
        created = {"Events": ["s3:ObjectCreated:*"]}

        def below(prefix):
            return {"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}}

        client("s3").put_bucket_notification_configuration(
            Bucket=BUCKET,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn["by-s3"], **created, **below("unload/by-s3")}],
                "TopicConfigurations": [{"TopicArn": topic, **created, **below("unload/by-sns")}],
                "EventBridgeConfiguration": {},
            },
        )
        cls.function = Function(UNLOAD_PREFIX="unload/", UNLOAD_BUCKET=BUCKET)

    @classmethod
    def tearDownClass(cls):
        cls.function.end()

    def taken(self, name, key):
        """The body of the message about this key, as Lambda gives it to the function."""
        for _ in range(20):
            answer = client("sqs").receive_message(QueueUrl=self.urls[name], MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                client("sqs").delete_message(QueueUrl=self.urls[name], ReceiptHandle=message["ReceiptHandle"])
                if key.split("/")[-1] in message["Body"]:
                    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
                    record = {"messageId": message["MessageId"], "body": message["Body"], "eventSource": "aws:sqs"}
                    return {"Records": [{**record, "eventSourceARN": arn}]}
            time.sleep(0.1)
        self.fail(f"{name} has no message about {key}")

    def test_what_a_queue_gets_becomes_a_final_object(self):
        for name in self.urls:
            prefix = "by-sns" if name.startswith("by-sns") else name
            key = f"unload/{prefix}/{ODD}{name}_0000_part_00"
            with self.subTest(name):
                s3 = client("s3")
                s3.put_object(Bucket=BUCKET, Key=f"unload/{prefix}/{ODD}{name}_.headers", Body=b"id,name")
                s3.put_object(Bucket=BUCKET, Key=key, Body=b"1|a\n")
                event = self.taken(name, key)
                self.assertEqual(self.function.invoke(event), ("response", {"batchItemFailures": []}))
                final = s3.get_object(Bucket=BUCKET, Key=key.replace("unload/", "final/", 1))["Body"].read()
                self.assertEqual(final, b"id|name\n1|a\n")

    def test_a_message_that_fails_is_named(self):
        key = "unload/by-s3/nobody_0000_part_00"
        client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"1|a\n")
        event = self.taken("by-s3", key)
        failed = [{"itemIdentifier": event["Records"][0]["messageId"]}]
        self.assertEqual(self.function.invoke(event), ("response", {"batchItemFailures": failed}))


if __name__ == "__main__":
    unittest.main()
