"""What the tests of examples/ share: the command line as its wheel installs it, `unload-header serve` in place of S3 and
the function, and what readers find."""

import functools
import io
import os
import subprocess
import sys
import tempfile
import time
import unittest
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES))
BUCKET = "my-unloads"
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="testtesttest",
    AWS_REGION="eu-central-1",
    AWS_DEFAULT_REGION="eu-central-1",
)

# After the environment, which they read.
import boto3  # noqa: E402
import pandas  # noqa: E402

FOLDER = tempfile.TemporaryDirectory()


def wheel():
    """The one that was made last."""
    return max((ROOT / "target/wheels").glob("unload_header-*.whl"), key=lambda it: it.stat().st_mtime)


@functools.cache
def command():
    """`unload-header`, from a virtual environment that has nothing but the wheel."""
    folder = Path(FOLDER.name, "fresh")
    venv.create(folder, with_pip=True)
    pip = [
        folder / "bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-index",
        wheel(),
    ]
    subprocess.run(pip, check=True)
    return folder / "bin/unload-header"


class Served(unittest.TestCase):
    """Tests for which `unload-header serve` is S3, and runs the function on what is written there."""

    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.log = tempfile.TemporaryFile("w+")
        serve = [command(), "serve", "0", *cls.settings]
        cls.server = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=cls.log, text=True)
        cls.addClassCleanup(cls.end)
        os.environ["AWS_ENDPOINT_URL_S3"] = cls.server.stdout.readline().strip().split("=", 1)[1]
        cls.s3 = boto3.client("s3")

    @classmethod
    def end(cls):
        cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()
        cls.log.close()

    def said(self):
        """What the function has said so far."""
        self.log.seek(0)
        return self.log.read()

    def final(self, key, seconds=30):
        """The rows of a final object as pandas reads them, once it is there."""
        return pandas.read_csv(io.BytesIO(self.read(key, seconds)), dtype=str, keep_default_na=False)

    def read(self, key, seconds=30):
        until = time.monotonic() + seconds
        while True:
            try:
                return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            except self.s3.exceptions.NoSuchKey:
                if time.monotonic() > until:
                    self.fail(f"there is no s3://{BUCKET}/{key}; the function said:\n{self.said()}")
                time.sleep(0.1)

    def keys(self, prefix):
        return [it["Key"] for it in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
