#!/usr/bin/env bash
# Lints the shell scripts and the workflows.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh linters
bin=.tools/linters/bin
"$bin/shellcheck" scripts/*.sh .ci/run
"$bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
"$bin/zizmor" --quiet --offline .github/workflows
echo "scripts and workflows are clean"
