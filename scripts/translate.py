"""Prints a SAM template as the CloudFormation template that the transform makes of it."""

import json
import sys

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse


def translated(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file)
    # What `sam package` does: the transform takes code from a bucket only.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
    return Translator({}, Parser()).translate(template, {"BucketName": "a-bucket"})


if __name__ == "__main__":
    print(json.dumps(translated(sys.argv[1]), indent=2))
