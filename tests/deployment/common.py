"""A stack on an emulator of AWS's services, which scripts/with-server.sh starts."""

import io
import json
import os
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
REGION = "eu-central-1"
# The emulator's.
ACCOUNT = "000000000000"
os.environ.update(
    AWS_ENDPOINT_URL=os.environ["TEST_S3_ENDPOINT"],
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION=REGION,
    AWS_REGION=REGION,
)

# After the environment, which they read.
import boto3  # noqa: E402
from translate import translated  # noqa: E402


def client(service):
    return boto3.client(service, REGION)


def template():
    """The translated template, without what the emulator does not make: saved queries, and alarms by metric math.
    cfn-lint has looked at these."""
    whole = translated(ROOT / "template.yaml")

    def is_known(resource):
        return resource["Type"] != "AWS::Logs::QueryDefinition" and "Metrics" not in resource.get("Properties", {})

    return {**whole, "Resources": {name: it for name, it in whole["Resources"].items() if is_known(it)}}


def make_bucket(name):
    if name not in [one["Name"] for one in client("s3").list_buckets()["Buckets"]]:
        client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


def create(body, parameters, name):
    """Creates a stack, and says what came of it."""
    make_bucket("bucket")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("bootstrap", "")
    client("s3").put_object(Bucket="bucket", Key="code.zip", Body=code.getvalue())
    stacks = client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(body), Parameters=given, Capabilities=["CAPABILITY_IAM"])
    try:
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    except Exception as error:
        events = stacks.describe_stack_events(StackName=name)["StackEvents"]
        failed = [it for it in events if "FAILED" in it["ResourceStatus"]]
        reasons = [f"{it['LogicalResourceId']}: {it.get('ResourceStatusReason')}" for it in failed]
        raise AssertionError("\n".join(reasons)) from error
    found = stacks.describe_stacks(StackName=name)["Stacks"][0]
    resources = stacks.list_stack_resources(StackName=name)["StackResourceSummaries"]
    return {
        "outputs": {it["OutputKey"]: it["OutputValue"] for it in found.get("Outputs", [])},
        "types": [it["ResourceType"] for it in resources],
        "ids": {it["LogicalResourceId"]: it.get("PhysicalResourceId") for it in resources},
    }


def url_of(queue_arn):
    return client("sqs").get_queue_url(QueueName=queue_arn.rsplit(":", 1)[1])["QueueUrl"]


def statements_of_role(made):
    """The statements of the function's own policies."""
    iam = client("iam")
    role = made["ids"]["FunctionRole"]
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    return [statement for document in documents for statement in document["Statement"]]
