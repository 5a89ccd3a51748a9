"""The wheel of the command line, in a fresh virtual environment."""

import subprocess
import tomllib
import unittest
import zipfile

from common import ROOT, command, wheel


class Wheel(unittest.TestCase):
    def test_it_carries_the_command_and_its_licences_and_nothing_else(self):
        with zipfile.ZipFile(wheel()) as file:
            names = {name.split("/", 1)[1] for name in file.namelist()}
            metadata = next(file.read(name).decode() for name in file.namelist() if name.endswith("/METADATA"))
        licences = {f"licenses/{name}" for name in ("LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-NOTICES")}
        made = {"METADATA", "RECORD", "WHEEL", "sboms/unload-header.cyclonedx.json"}
        self.assertEqual(names, {"scripts/unload-header", *licences, *made})
        self.assertIn("\nLicense-Expression: Apache-2.0 OR MIT\n", metadata)
        self.assertIn("\n# unload-header\n", metadata)

    def test_the_command_runs(self):
        def said(*arguments):
            return subprocess.run([command(), *arguments], capture_output=True, check=True, text=True).stdout

        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        self.assertEqual(said("--version"), f"unload-header {version}\n")
        self.assertIn("final objects written", said("demo"))


if __name__ == "__main__":
    unittest.main()
