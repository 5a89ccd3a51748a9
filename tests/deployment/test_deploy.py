"""scripts/deploy.py and scripts/redrive.py."""

import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from common import REGION, ROOT, client, create, make_bucket, template, url_of
from test_bucket import run

import deploy
import stack
from bucket import differences, elements, with_entries, with_rules

ODD = {"UnloadOptions": "FORMAT CSV DELIMITER ';' NULL AS '\\N' -- \"x\", a=b"}


class Deploy(unittest.TestCase):
    def test_what_sam_would_change_is_refused(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(SystemExit) as refused:
            deploy.commands({"stack": "s", "region": REGION, "parameters": {"Architecture": "arm64", "UnloadOptions": "NULL '\\''"}}, True, folder)
        self.assertIn("can't be passed through SAM", str(refused.exception))

    def test_the_second_time_changes_nothing(self):
        make_bucket("code-of-sam")
        parameters = {"BucketName": "twice", "CreateBucket": "yes", "Output": "single", "DeleteSource": "on", "Architecture": "x86_64"}
        answers = {"stack": "twice", "region": REGION, "parameters": {**parameters, **ODD}}
        for changed in (True, False):
            said = self.deploy(answers)
            self.assertEqual("No changes to deploy" in said, not changed, said)
            found = stack.describe("twice", REGION)["parameters"]
            self.assertEqual({name: found[name] for name in answers["parameters"]}, answers["parameters"])
        fewer = {"BucketName": "twice", "Bom": "on"}
        self.deploy({**answers, "parameters": fewer})
        found = stack.describe("twice", REGION)["parameters"]
        self.assertEqual((found["Bom"], found["Output"], found["CreateBucket"]), ("on", "single", "yes"), "what is left out stays")

    def deploy(self, answers):
        """Runs what is run, but for the build, on the translated template."""
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ):
            os.environ.pop("ARCH_ASKED", None)
            body = Path(folder) / "template.json"
            body.write_text(json.dumps(template()), encoding="utf-8")
            build, command = deploy.commands(deploy.completed(answers), True, folder)
            self.assertEqual(build, ["make", "build", "ARCH=x86_64"])
            command[0] = Path(sys.executable).with_name("sam")
            command.remove("--resolve-s3")
            command[2:2] = ["--template-file", body, "--s3-bucket", "code-of-sam"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return done.stdout + done.stderr

    def test_another_architecture_than_the_saved_one_is_refused(self):
        answers = {"stack": "s", "region": REGION, "parameters": {"BucketName": "bucket", "Architecture": "x86_64"}}
        with mock.patch.dict(os.environ, ARCH_ASKED="arm64"), self.assertRaises(SystemExit) as refused:
            deploy.commands(answers, True, "")
        self.assertIn("says Architecture=x86_64, and you ARCH=arm64", str(refused.exception))

    def test_wrong_answers_are_named(self):
        for parameters, said in [
            ({"BucketName": "bucket", "Output": "all"}, "Output='all' is wrong: allowed are each, single"),
            ({"BucketName": "bucket", "UnloadPrefix": "a*"}, "UnloadPrefix='a*' is wrong: must not be empty, and have only"),
            ({"BucketName": "bucket", "MemorySize": "128"}, "MemorySize='128' is wrong: 256 is the least"),
            ({"BucketName": "bucket", "Nothing": "1"}, "the template has no parameter Nothing"),
            ({}, "the parameter BucketName is missing"),
        ]:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "stack.json"
                file.write_text(json.dumps({"stack": "s", "region": REGION, "parameters": parameters}), encoding="utf-8")
                with mock.patch.object(stack, "ANSWERS", file), self.assertRaises(SystemExit) as refused:
                    stack.read_answers()
            self.assertIn(said, str(refused.exception))

    def test_it_asks_only_the_first_time(self):
        typed = iter(["asked", REGION, "wrong bucket!", "asked"])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "stack.json"
            terminal = mock.Mock(isatty=lambda: True)
            with (
                mock.patch.object(stack, "ANSWERS", file),
                mock.patch.object(sys, "stdin", terminal),
                mock.patch.object(sys, "stdout", io.StringIO()),
                mock.patch("builtins.input", lambda _: next(typed, "")),
                mock.patch.object(subprocess, "run", return_value=mock.Mock(returncode=0)) as ran,
            ):
                deploy.main()
                first, text = ran.call_args_list[:], file.read_text(encoding="utf-8")
                ran.reset_mock()
                with mock.patch("builtins.input", side_effect=AssertionError("it asks")):
                    deploy.main()
                self.assertEqual([it.args[0][:9] for it in ran.call_args_list], [it.args[0][:9] for it in first])
                self.assertEqual(file.read_text(encoding="utf-8"), text)
            parameters = json.loads(text)["parameters"]
        self.assertEqual((parameters["BucketName"], parameters["UnloadPrefix"]), ("asked", "unload/"))
        self.assertEqual(set(parameters), set(stack.declared()))


class Rules(unittest.TestCase):
    def test_bare_prefixes_become_filters_beside_ours(self):
        old = {"ID": "old", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 1}}
        kept, own = with_rules([old], "s", "final/", False)
        self.assertEqual(kept, {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}})
        self.assertEqual((own["ID"], with_rules([kept, own], "s", "final/", False)), ("s/uploads", [kept, own]))
        self.assertEqual(with_rules([old], "s", None, False), [old], "nothing of others is written anew for nothing")

    def test_merges_have_a_rule_for_intermediate_objects(self):
        old = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}
        rules = with_rules([old], "s", "final/", True)
        self.assertEqual([rule["ID"] for rule in rules], ["old", "s/uploads", "s/intermediates"])
        self.assertEqual(with_rules(rules, "s", "final/", True), rules)
        self.assertEqual(with_rules(rules, "s", "final/", False), rules[:2], "OUTPUT is each now")
        self.assertEqual(with_rules(rules, "s", None, True), [old])

    def test_s3_writes_the_names_of_filters_with_a_capital(self):
        parameters = {"Trigger": "direct", "Output": "single", "UnloadPrefix": "unload/"}
        found = {"parameters": parameters, "outputs": {"FunctionArn": "arn:aws:lambda:eu-central-1:1:function:f"}}
        ours = with_entries({}, "s", found)
        theirs = json.loads(json.dumps(ours).replace('"prefix"', '"Prefix"').replace('"suffix"', '"Suffix"'))
        self.assertEqual(differences(elements(theirs), elements(with_entries(theirs, "s", found))), [])


class Redrive(unittest.TestCase):
    def test_failed_events_go_back_to_where_they_came_from(self):
        event = {"Records": [{"eventName": "ObjectCreated:Put"}]}
        record = {"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event}
        made = create(template(), {"BucketName": "redriven", "Trigger": "queue"}, "redriven")
        failed, sqs = made["outputs"]["FailedEventsUrl"], client("sqs")
        for body in (record, event):
            sqs.send_message(QueueUrl=failed, MessageBody=json.dumps(body))
        status, said = run("redrive.py", [], "redriven")
        self.assertEqual((status, "say YES=1" in said), (1, True), said)
        status, said = run("redrive.py", [], "redriven", YES="1")
        self.assertEqual((status, said), (0, "2 failed events wait.\n2 were sent again.\n"))
        events = url_of(made["outputs"]["EventsArn"])
        found = sqs.receive_message(QueueUrl=events, MaxNumberOfMessages=10).get("Messages", [])
        self.assertEqual([json.loads(message["Body"]) for message in found], [event, event])
        self.assertEqual(run("redrive.py", [], "redriven"), (0, "0 failed events wait.\n"))
        hidden = sqs.get_queue_attributes(QueueUrl=failed, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
        self.assertEqual(hidden["Attributes"], {"ApproximateNumberOfMessagesNotVisible": "0"}, "none comes back later")

    def test_what_is_no_event_is_left_alone_and_others_go_to_the_function(self):
        made = create(template(), {"BucketName": "redriven-2"}, "redriven-2")
        failed, sqs = made["outputs"]["FailedEventsUrl"], client("sqs")
        for body in ("no event", json.dumps({"requestPayload": {"Records": []}})):
            sqs.send_message(QueueUrl=failed, MessageBody=body)
        status, said = run("redrive.py", [], "redriven-2", YES="1")
        self.assertEqual(status, 0, said)
        self.assertIn("left alone, since it is no event: 'no event'", said)
        self.assertIn("1 were sent again.", said)


if __name__ == "__main__":
    unittest.main()
