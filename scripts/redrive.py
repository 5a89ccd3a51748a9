"""Sends the failed events of the stack that stack.json names again: to its queue with Trigger=queue, else to the function
itself. An event is deleted from the queue of failed events only after it was taken; if it fails again, it comes back.
"""

import json
import time

import boto3

import stack

# Seconds in which a message is not seen by others, while it is sent.
VISIBILITY = 120


def payload(body):
    """The event of a message: of Lambda's record of a failed event, or the message itself, from EventBridge or SQS. None
    if it is no event."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    return json.dumps(message["requestPayload"]) if "requestPayload" in message else body


def main():
    answers, found = stack.deployed()
    sqs = boto3.client("sqs", region_name=answers["region"])
    function = boto3.client("lambda", region_name=answers["region"])
    outputs = found["outputs"]
    failed = outputs["FailedEventsUrl"]
    events = None
    if "EventsArn" in outputs:
        events = sqs.get_queue_url(QueueName=outputs["EventsArn"].rsplit(":", 1)[1])["QueueUrl"]
    waiting = sqs.get_queue_attributes(QueueUrl=failed, AttributeNames=["ApproximateNumberOfMessages"])
    waiting = int(waiting["Attributes"]["ApproximateNumberOfMessages"])
    print(f"{waiting} failed events wait.")
    if not waiting or not stack.is_sure("Send them again?"):
        return
    begun, sent, left = time.time(), 0, set()
    while True:
        batch = sqs.receive_message(
            QueueUrl=failed,
            MaxNumberOfMessages=10,
            VisibilityTimeout=VISIBILITY,
            WaitTimeSeconds=2,
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages", [])
        if not batch:
            break
        for message in batch:
            # What has failed again since waits for the next time.
            is_new = int(message["Attributes"]["SentTimestamp"]) / 1000 > begun
            if is_new or message["MessageId"] in left:
                continue
            event = payload(message["Body"])
            if event is None:
                print(f"left alone, since it is no event: {message['Body'][:200]!r}")
                left.add(message["MessageId"])
                continue
            if events:
                sqs.send_message(QueueUrl=events, MessageBody=event)
            else:
                arn = outputs["FunctionArn"]
                function.invoke(FunctionName=arn, InvocationType="Event", Payload=event.encode())
            sqs.delete_message(QueueUrl=failed, ReceiptHandle=message["ReceiptHandle"])
            sent += 1
    print(f"{sent} were sent again.")


if __name__ == "__main__":
    stack.told(main)
