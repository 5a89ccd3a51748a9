"""Connects a bucket that was there already with the stack that stack.json names, or takes the connection away:

    scripts/bucket.py add|remove

It shows what it will change, asks, and changes that alone: entries whose Id begins with the stack's name, and nothing
that anybody else has configured. A second run changes nothing.
"""

import copy
import json
import sys

import boto3
from botocore.exceptions import ClientError

import stack

LISTS = ("LambdaFunctionConfigurations", "QueueConfigurations", "TopicConfigurations")
# What a function that was ended in the middle leaves behind.
DAYS = 2
# Where slices are put together that are more than parts (src/copy/groups.rs).
INTERMEDIATES = ".unload-header/"


def wanted_entries(name, found):
    """The notification's entries of a stack, as (list, entry)."""
    parameters, outputs = found["parameters"], found["outputs"]
    by_queue = parameters["Trigger"] == "queue"
    target = {"QueueArn": outputs["EventsArn"]} if by_queue else {"LambdaFunctionArn": outputs["FunctionArn"]}
    # With Output=single no slice costs a call.
    is_single = parameters["Output"] == "single"
    suffixes = {"manifests": "manifest", "sidecars": ".headers"} if is_single else {"objects": None}
    entries = []
    for what, suffix in suffixes.items():
        rules = [{"Name": "prefix", "Value": parameters["UnloadPrefix"]}]
        rules += [{"Name": "suffix", "Value": suffix}] if suffix else []
        entry = {"Id": f"{name}/{what}", **target, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
        entries.append((LISTS[1] if by_queue else LISTS[0], entry))
    return entries


def with_entries(configuration, name, found):
    """A notification configuration with a stack's entries instead of those that it had; with none if `found` is None."""
    result = copy.deepcopy(configuration)
    for one in LISTS:
        kept = [entry for entry in result.get(one, []) if not entry.get("Id", "").startswith(f"{name}/")]
        result.pop(one, None)
        if kept:
            result[one] = kept
    if found and found["parameters"]["Trigger"] == "eventbridge":
        result["EventBridgeConfiguration"] = {}
    elif found:
        for one, entry in wanted_entries(name, found):
            refuse_overlap(result, entry)
            result.setdefault(one, []).append(entry)
    return result


def filters(entry):
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    named = {rule["Name"].lower(): rule["Value"] for rule in rules}
    return named.get("prefix", ""), named.get("suffix", "")


def refuse_overlap(configuration, entry):
    """S3 refuses two entries for the same kind of event with prefixes and suffixes that overlap (S3 user guide,
    "Configuring event notifications using object key name filtering")."""
    prefix, suffix = filters(entry)
    for other in (other for one in LISTS for other in configuration.get(one, [])):
        of_creation = any(event.startswith("s3:ObjectCreated:") for event in other["Events"])
        other_prefix, other_suffix = filters(other)
        nested = prefix.startswith(other_prefix) or other_prefix.startswith(prefix)
        nested = nested and (suffix.endswith(other_suffix) or other_suffix.endswith(suffix))
        if of_creation and nested and other.get("Id") != entry["Id"]:
            stack.fail(
                f"the bucket has the notification {other.get('Id')!r} for the prefix {other_prefix!r} already, and S3 allows "
                f"no other that overlaps; use Trigger=eventbridge, or change one of the two prefixes"
            )


def final_place(found):
    """The final bucket, and how final keys begin."""
    parameters = found["parameters"]
    key = parameters["FinalKey"].split("{")[0] if parameters["FinalKey"] else "final/"
    return parameters["FinalBucketName"] or parameters["BucketName"], key


def with_rules(rules, name, prefix, is_single):
    """Lifecycle rules with a stack's own instead of those that it had; without, if `prefix` is None. S3 takes no rules
    of which some have a filter and some the older bare prefix, which means the same."""
    own = (f"{name}/uploads", f"{name}/intermediates")
    kept = [dict(rule) for rule in rules if rule.get("ID") not in own]
    if prefix is None:
        return kept
    for rule in kept:
        if "Prefix" in rule:
            rule["Filter"] = {"Prefix": rule.pop("Prefix")}
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": DAYS}}
    uploads = {"ID": own[0], "Status": "Enabled", "Filter": {"Prefix": prefix}, **abort}
    if not is_single:
        return [*kept, uploads]
    # In a bucket with versions, deletion leaves one.
    expire = {"Expiration": {"Days": DAYS}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    intermediates = {"ID": own[1], "Status": "Enabled", "Filter": {"Prefix": INTERMEDIATES}, **abort, **expire}
    return [*kept, uploads, intermediates]


def read_rules(s3, bucket):
    try:
        answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return [], {}
        raise
    kept = {name: answer[name] for name in ("TransitionDefaultMinimumObjectSize",) if name in answer}
    return answer["Rules"], kept


def differences(before, after):
    """The elements of two lists of JSON that are only in one of them."""
    lines = [{json.dumps(element, sort_keys=True) for element in elements} for elements in (before, after)]
    return [f"  - {line}" for line in sorted(lines[0] - lines[1])] + [f"  + {line}" for line in sorted(lines[1] - lines[0])]


def elements(configuration):
    """What a configuration consists of. S3 answers with `Prefix` where `prefix` was said (`aws/aws-sdk#389`)."""
    of_lists = [{one: copy.deepcopy(entry)} for one in LISTS for entry in configuration.get(one, [])]
    for entry in (entry for element in of_lists for entry in element.values()):
        for rule in entry.get("Filter", {}).get("Key", {}).get("FilterRules", []):
            rule["Name"] = rule["Name"].lower()
    return of_lists + [{"EventBridge": "on"}] * ("EventBridgeConfiguration" in configuration)


def main(action):
    answers, found = stack.deployed()
    name, s3 = answers["stack"], boto3.client("s3", region_name=answers["region"])
    parameters, is_added = found["parameters"], action == "add"
    bucket, (final_bucket, prefix) = parameters["BucketName"], final_place(found)
    of_stack = parameters["CreateBucket"] == "yes"
    changes = []
    if of_stack:
        print(f"The stack has made {bucket} and its notification itself.")
    else:
        before = s3.get_bucket_notification_configuration(Bucket=bucket)
        before.pop("ResponseMetadata", None)
        after = with_entries(before, name, found if is_added else None)
        if lines := differences(elements(before), elements(after)):
            write = {"Bucket": bucket, "NotificationConfiguration": after}
            changes.append((f"notifications of {bucket}", lines, s3.put_bucket_notification_configuration, write))
    if parameters["FinalBucketOwner"]:
        print(f"{final_bucket} is the account {parameters['FinalBucketOwner']}'s, which has to add lifecycle rules of its own.")
    elif not of_stack or final_bucket != bucket:
        rules, kept = read_rules(s3, final_bucket)
        after = with_rules(rules, name, prefix if is_added else None, parameters["Output"] == "single")
        if lines := differences(rules, after):
            put, write = s3.put_bucket_lifecycle_configuration, {"LifecycleConfiguration": {"Rules": after}, **kept}
            if not after:
                put, write = s3.delete_bucket_lifecycle, {}
            changes.append((f"lifecycle rules of {final_bucket}", lines, put, {"Bucket": final_bucket, **write}))
    if not changes:
        print("No change.")
        return
    for what, lines, _, _ in changes:
        print("\n".join([f"The {what}:", *lines]))
    if not is_added and parameters["Trigger"] == "eventbridge" and not of_stack:
        print(f"EventBridge stays on for {bucket}: others may use it, and it costs nothing.")
    if not stack.is_sure("Change that?"):
        stack.fail("nothing was changed")
    for _, _, put, write in changes:
        put(**write)
    print("Changed.")


if __name__ == "__main__":
    if sys.argv[1:] not in (["add"], ["remove"]):
        sys.exit(__doc__)
    stack.told(lambda: main(sys.argv[1]))
