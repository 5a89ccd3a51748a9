"""What the scripts beside this one know of a stack: its answers, its parameters and its outputs."""

import json
import os
import re
import sys
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
# Where the answers are kept: the stack's name, its region and its parameters.
ANSWERS = Path(os.environ.get("ANSWERS") or ROOT / "stack.json")


def fail(message):
    sys.exit(f"error: {message}")


def told(action):
    """Carries an action out; what AWS refuses is told in a line."""
    try:
        action()
    except BotoCoreError as error:
        fail(error)
    except ClientError as error:
        fail(f"{error.operation_name}: {error.response['Error']['Code']}, {error.response['Error'].get('Message', '')}")


def is_sure(question):
    """Whether to go on: YES=1 in the environment, or the answer of whoever is at the terminal."""
    if os.environ.get("YES") == "1":
        return True
    if not sys.stdin.isatty():
        fail("nobody is there to answer; say YES=1 to go on without a question")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def declared():
    """The template's parameters, as they are declared."""
    return yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Parameters"]


def problem(declaration, value):
    """Why CloudFormation would refuse a parameter's value; None if it would not."""
    allowed = [str(one) for one in declaration.get("AllowedValues", [])]
    pattern = declaration.get("AllowedPattern")
    if allowed and value not in allowed:
        return "allowed are " + ", ".join(allowed)
    if pattern and not re.fullmatch(pattern, value):
        return declaration.get("ConstraintDescription", f"it must match {pattern}")
    if declaration["Type"] == "Number":
        if not re.fullmatch(r"-?[0-9]+", value):
            return "it is no number"
        least, most = declaration.get("MinValue"), declaration.get("MaxValue")
        if least is not None and int(value) < least or most is not None and int(value) > most:
            return f"allowed is {least} to {most}" if most is not None else f"{least} is the least"
    return None


def read_answers():
    """The saved answers, checked; None if there are none yet."""
    if not ANSWERS.exists():
        return None
    try:
        answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
    except ValueError as error:
        fail(f"{ANSWERS} is not JSON: {error}")
    for field in ("stack", "region", "parameters"):
        if field not in answers:
            fail(f"{ANSWERS} has no {field!r}")
    parameters = declared()
    answers["parameters"] = {name: str(value) for name, value in answers["parameters"].items()}
    for name, value in answers["parameters"].items():
        if name not in parameters:
            fail(f"{ANSWERS}: the template has no parameter {name}")
        if why := problem(parameters[name], value):
            fail(f"{ANSWERS}: {name}={value!r} is wrong: {why}")
    for name, declaration in parameters.items():
        if "Default" not in declaration and name not in answers["parameters"]:
            fail(f"{ANSWERS}: the parameter {name} is missing")
    return answers


def describe(stack, region):
    """The parameters and outputs of a stack that is deployed; None if there is none of that name."""
    try:
        found = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return {
        "parameters": {it["ParameterKey"]: it["ParameterValue"] for it in found.get("Parameters", [])},
        "outputs": {it["OutputKey"]: it["OutputValue"] for it in found.get("Outputs", [])},
    }


def deployed():
    """The name and region of the stack that the answers name, and what describe() says of it."""
    answers = read_answers() or fail(f"{ANSWERS} is not there; `make deploy` makes it, or name another with ANSWERS=")
    found = describe(answers["stack"], answers["region"])
    return answers, found or fail(f"there is no stack {answers['stack']} in {answers['region']}; `make deploy` makes it")
