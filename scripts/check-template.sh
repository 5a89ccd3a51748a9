#!/usr/bin/env bash
# Lints the template as it is written, and once more as CloudFormation gets it: SAM's own check does
# not see a cycle, or a runtime that does not exist.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh tools
bin=.tools/tools/bin
export AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0
"$bin/sam" validate --lint
translated=$(mktemp --suffix .json)
trap 'rm -f "$translated"' EXIT
"$bin/python" scripts/translate.py template.yaml >"$translated"
"$bin/cfn-lint" --template "$translated"
echo "the translated template is clean"
