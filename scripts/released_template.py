"""Prints the template of a release: the function's code is a zip beside it, and nothing is built.

    scripts/released_template.py arm64|x86_64 ZIP
"""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def replaced(text, old, new):
    if len(re.findall(old, text)) != 1:
        sys.exit(f"template.yaml has not one {old!r}")
    return re.sub(old, lambda _: new, text)


def main(architecture, code):
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    package, version = cargo["package"], cargo["workspace"]["package"]["version"]
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    text = replaced(text, r"    Metadata:\n      BuildMethod: .*\n      BuildProperties:\n        Binary: .*\n", "")
    text = replaced(text, r"      CodeUri: \.\n", f"      CodeUri: {code}\n")
    architectures = r"    AllowedValues: \[arm64, x86_64\]\n    Default: arm64\n"
    text = replaced(text, architectures, f"    AllowedValues: [{architecture}]\n    Default: {architecture}\n")
    # What the Serverless Application Repository wants (its developer guide, "SAM template metadata section").
    application = f"""  AWS::ServerlessRepo::Application:
    Name: {package["name"]}
    Description: {json.dumps(package["description"])}
    Author: {package["name"]}
    SpdxLicenseId: Apache-2.0
    LicenseUrl: LICENSE-APACHE
    ReadmeUrl: README.md
    Labels: [redshift, unload, s3, csv, header]
    SemanticVersion: {version}
"""
    print(replaced(text, r"\nMetadata:\n", f"\nMetadata:\n{application}"), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
