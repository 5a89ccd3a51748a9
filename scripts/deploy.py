"""Builds and deploys the stack. Asks for its name, region and parameters the first time, and keeps the answers in
stack.json, which git ignores; change them there, or with ASK=1. With YES=1 there are no questions at all. ANSWERS=file
names another file, for another stack.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import stack


def ask():
    """The answers of whoever is at the terminal. What is saved, or deployed already, is proposed."""
    if not sys.stdin.isatty():
        stack.fail(f"{stack.ANSWERS} is not there, and nobody to ask; write it as docs/operations.md shows")
    saved = stack.read_answers() or {"stack": "unload-header", "region": os.environ.get("AWS_REGION", ""), "parameters": {}}
    name = question("Name of the stack", saved["stack"])
    region = question("Region", saved["region"])
    found = stack.describe(name, region)
    proposed = {**(found["parameters"] if found else {}), **saved["parameters"]}
    parameters = {}
    for parameter, declaration in stack.declared().items():
        print(f"\n{declaration.get('Description', '').strip()}")
        if allowed := declaration.get("AllowedValues"):
            print("One of " + ", ".join(str(one) for one in allowed))
        default = proposed.get(parameter, str(declaration.get("Default", "")))
        while why := stack.problem(declaration, answer := question(parameter, default)):
            print(f"{answer!r} is wrong: {why}")
        parameters[parameter] = answer
    return {"stack": name, "region": region, "parameters": parameters}


def question(name, default):
    return input(f"{name} [{default}]: ").strip() or default


def quoted(name, value):
    """A value as SAM reads it from a file: it takes quotes off, and a backslash before a quote or a space."""
    for lost in ("\\'", '\\"', "\\ "):
        if lost in value:
            stack.fail(f"{name}={value!r} can't be passed through SAM, which drops the backslash of {lost!r}")
    return '"' + value.replace('"', '\\"') + '"'


def completed(answers):
    """The answers with the architecture, which the build has to know: that of the stack where the file says nothing."""
    found = stack.describe(answers["stack"], answers["region"]) or {"parameters": {}}
    default = found["parameters"].get("Architecture", stack.declared()["Architecture"]["Default"])
    return {**answers, "parameters": {"Architecture": default, **answers["parameters"]}}


def commands(answers, is_unattended, folder):
    """What is run: the build for the saved architecture, and the deployment, with the parameters in a file in `folder`."""
    parameters = answers["parameters"]
    architecture = parameters["Architecture"]
    asked = os.environ.get("ARCH_ASKED")
    if asked and asked != architecture:
        stack.fail(f"{stack.ANSWERS} says Architecture={architecture}, and you ARCH={asked}; change it there")
    file = Path(folder) / "parameters.yaml"
    # JSON is YAML, and SAM reads no file that is called JSON.
    file.write_text(json.dumps({name: quoted(name, value) for name, value in parameters.items()}), encoding="utf-8")
    deploy = ["sam", "deploy", "--stack-name", answers["stack"], "--region", answers["region"], "--resolve-s3"]
    deploy += ["--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"]
    deploy += ["--no-confirm-changeset" if is_unattended else "--confirm-changeset"]
    return [["make", "build", f"ARCH={architecture}"], [*deploy, "--parameter-overrides", f"file://{file}"]]


def main():
    answers = stack.read_answers()
    if answers is None or os.environ.get("ASK") == "1":
        answers = ask()
        stack.ANSWERS.write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")
        print(f"\nThe answers are in {stack.ANSWERS}.")
    with tempfile.TemporaryDirectory() as folder:
        for command in commands(completed(answers), os.environ.get("YES") == "1", folder):
            if status := subprocess.run(command, cwd=stack.ROOT).returncode:
                sys.exit(status)
    found = stack.describe(answers["stack"], answers["region"])
    if found and found["parameters"].get("CreateBucket") == "no":
        print("The bucket was there already: `make bucket` connects it.")


if __name__ == "__main__":
    stack.told(main)
