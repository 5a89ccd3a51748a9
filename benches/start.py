"""`make bench-start`: how long the function takes to start, and what a memory size costs.

    scripts/with-server.sh seaweedfs .tools/peers/bin/python benches/start.py RESULTS [NAME=BINARY…]

The function's start is held against that of an empty one and of one with only a client; over TLS, as on Lambda. Other builds
of the function, as scripts/builds.sh makes them, are given by name. Results are added to the JSON file RESULTS.

With QUICK=1 it measures little.
"""

import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import servers
from servers import COLUMNS, MIB, ROOT, Bucket, Proxy
from tool import Function

BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
QUICK = os.environ.get("QUICK", "") not in ("", "0")
STARTS = 3 if QUICK else 31
CALLS = 1 if QUICK else 7
# Lambda gives a function of 1,769 MB one CPU, and others their share (Lambda developer guide, "Configure Lambda function
# memory").
MB_FOR_A_CPU = 1_769
MEMORY_SIZES = (256, 1_024) if QUICK else (128, 192, 256, 384, 512, 768, 1_024)
# arm64, us-east-1 (AWS, "AWS Lambda pricing").
DOLLARS_FOR_A_GB_SECOND = 0.0000133334
# What each answer is held back by: about what S3 takes for a small request.
DELAY = 0.03
PERIOD = 20_000


def certificate(folder):
    """A certificate for 127.0.0.1 that nobody else trusts, and its key."""
    files = [f"{folder}/certificate.pem", f"{folder}/key.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
         "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )
    return files


class Cpu:
    """A control group whose processes get a share of a CPU, by version 1 or 2 of Linux's control groups."""

    def __init__(self):
        name = f"unload-header-{os.getpid()}"
        self.group = next(
            (folder / name for folder in map(Path, ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup")) if self.makes(folder / name)), None
        )

    def makes(self, group):
        try:
            group.mkdir()
            self.limit(group, 1.0)
        except OSError:
            if group.exists():
                group.rmdir()
            return False
        return True

    def limit(self, group, share):
        quota = int(share * PERIOD)
        if (group / "cpu.cfs_quota_us").exists():
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD}")

    def of(self, share):
        """To be called in a new process before its program starts."""
        self.limit(self.group, share)
        procs = self.group / "cgroup.procs"
        return lambda: procs.write_text(str(os.getpid()))

    def end(self):
        if self.group:
            self.group.rmdir()


class Starts:
    def __init__(self, bucket, endpoint, trusted):
        self.bucket = bucket
        self.environment = {**servers.environment(endpoint), "SSL_CERT_FILE": trusted, "UNLOAD_PREFIX": "unload/"}
        self.small, self.large = "unload/small_0000_part_00", "unload/large_0000_part_00"
        bucket.put_rows(self.small, MIB)
        # All bytes of it pass through the function. What S3 copies besides is waited for, at any memory size.
        bucket.put_rows(self.large, 5 * MIB - 1_024)
        for name in ("small", "large"):
            bucket.put(f"unload/{name}_.headers", json.dumps({"columns": COLUMNS, "options": "DELIMITER '|'"}))

    def event(self, key):
        return {
            "Records": [
                {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": self.bucket.name}, "object": {"key": key}}}
            ]
        }

    def forget(self, key):
        self.bucket.delete(key.replace("unload/", "final/"), size=5 * MIB)

    def once(self, binary, key, calls=1, preexec=None):
        """The seconds until the first /next, those of each call, CPU seconds and peak memory."""
        function = Function([binary], self.environment, preexec)
        try:
            seconds = []
            for _ in range(calls):
                self.forget(key)
                seconds.append(function.work(self.event(key)))
        finally:
            cpu, peak = function.end()
        return function.seconds_to_start, seconds, cpu, peak

    def of(self, binaries):
        """By name: to the first /next, and to the end of the first small event. They take turns."""
        all_of = {name: {"start": [], "first_event": [], "cpu": [], "bytes": Path(binary).stat().st_size}
                  for name, binary in binaries.items()}
        for _ in range(STARTS):
            for name, binary in binaries.items():
                start, [first], cpu, _ = self.once(binary, self.small)
                measured = all_of[name]
                measured["start"].append(start)
                measured["first_event"].append(start + first)
                measured["cpu"].append(cpu)
        return all_of

    def memory_sizes(self, binary):
        cpu = Cpu()
        if cpu.group is None:
            print("memory sizes were not measured: no control group can be made here", file=sys.stderr)
            return []
        measured = []
        for size in MEMORY_SIZES:
            share = size / MB_FOR_A_CPU
            cold, warm, peak = [], [], 0
            for _ in range(CALLS):
                start, [first, *others], _, most = self.once(binary, self.large, 3, cpu.of(share))
                cold.append(start + first)
                warm += others
                peak = max(peak, most)
            dollars = [statistics.median(all_of) * size / 1024 * DOLLARS_FOR_A_GB_SECOND * 1e6 for all_of in (cold, warm)]
            measured.append({"mb": size, "cold": cold, "warm": warm, "peak": peak, "dollars_a_million": dollars})
            print(f"  {size:>5} MB: {statistics.median(cold):.3f} s cold, {statistics.median(warm):.3f} s warm", file=sys.stderr)
        cpu.end()
        return measured


def main():
    results = Path(sys.argv[1])
    others = dict(one.split("=", 1) for one in sys.argv[2:])
    known = json.loads(results.read_text()) if results.exists() else {}
    bucket, today = Bucket("start"), datetime.date.today().isoformat()
    with tempfile.TemporaryDirectory() as folder:
        files = certificate(folder)
        proxy = Proxy(0.0, files)
        starts = Starts(bucket, proxy.endpoint, files[0])
        if others:
            print("builds", file=sys.stderr)
            known["builds"] = {"date": today, "of": starts.of(others)}
        else:
            print("start", file=sys.stderr)
            own = {
                "an empty function": BUILT / "examples/empty",
                "one that asks S3 for one HEAD": BUILT / "examples/client_only",
                "**this function**": BUILT / "bootstrap",
            }
            known["start"] = {"date": today, "of": starts.of(own)}
            slow = Proxy(DELAY, files)
            starts.environment["AWS_ENDPOINT_URL_S3"] = slow.endpoint
            known["memory_sizes"] = {"date": today, "of": starts.memory_sizes(BUILT / "bootstrap")}
            slow.end()
        proxy.end()
    results.write_text(json.dumps(known, indent=1) + "\n")


main()
