"""Prints the licence texts of all crates that are in the function, or with the feature `logins` in the command line:

    scripts/notices.py TARGET [FEATURE]
"""

import json
import subprocess
import sys
from pathlib import Path

NAMES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE")


def linked(target, features):
    """The packages that a binary is linked from, without build scripts and tests."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target, *features]
    metadata = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {
        node["id"]: [it["pkg"] for it in node["deps"] if any(kind["kind"] is None for kind in it["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    found, waiting = set(), [metadata["resolve"]["root"]]
    while waiting:
        if (package := waiting.pop()) not in found:
            found.add(package)
            waiting += needs[package]
    third_party = found - set(metadata["workspace_members"])
    return sorted((packages[package] for package in third_party), key=lambda it: (it["name"], it["version"]))


def texts(package):
    folder = Path(package["manifest_path"]).parent
    return [file for file in sorted(folder.iterdir()) if file.is_file() and file.name.upper().startswith(NAMES)]


def main(target, feature=None):
    for package in linked(target, ["--features", feature] if feature else []):
        print(f"{'=' * 100}\n{package['name']} {package['version']}: {package['license'] or package['license_file']}")
        print(f"{package['repository'] or ''}\n")
        for file in texts(package):
            print(f"{'-' * 40} {file.name}\n{file.read_text(encoding='utf-8', errors='replace').strip()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
