"""`make bench` on one server: this function beside what others do, on the same objects.

    scripts/with-server.sh SERVER .tools/peers/bin/python benches/run.py SERVER RESULTS

Adds what it measured to the JSON file RESULTS. Every tool is a process of its own, new each time, whose client is there when
the clock starts. The tools take turns, and each round begins with another. Each result is compared with header and source by
SHA-256. Then each tool does the job once more through benches/proxy.py, which counts its requests and bytes.

With QUICK=1 it measures one size and one merge, once.
"""

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from itertools import accumulate, chain
from pathlib import Path

import servers
from servers import COLUMNS, GIB, HEADER, MIB, ROOT, Bucket, Proxy, rows, sha256
from tool import Failed, Function, Tool

QUICK = os.environ.get("QUICK", "") not in ("", "0")
ROUNDS = 1 if QUICK else 5
# As many are enough where one takes longer than so many seconds.
FEW_ROUNDS, LONG_ROUND = min(ROUNDS, 3), 20
# What each request is held back by when requests are counted. S3's own time is assumed to be of that order.
DELAY = 0.05

SIZES = [16 * MIB] if QUICK else [16 * MIB, 256 * MIB, GIB, 5 * GIB]
# Above this size, only tools that let S3 copy: others take minutes.
LARGEST_STREAM = GIB
# ministack keeps objects in memory.
LARGEST = {"ministack": GIB}
# What a tool asks for is the same on each server, and SeaweedFS takes long for large copies.
COUNTED = {"seaweedfs": GIB}

# Objects of which the server keeps a CRC. ministack refuses the right one of a multipart upload.
PROVED = {"seaweedfs": GIB}

# Slices in order, by size. On one server only: ministack sums up the CRC of each uploaded part byte by byte in Python.
MERGES_ON = "seaweedfs"
MERGES = {
    "1 byte between two of 100 MiB": [100 * MIB, 1, 100 * MIB],
    "8 slices of 64 MiB": [64 * MIB] * 8,
    "1,000 slices of 1 MiB": [MIB] * 1_000,
    "2,000 slices of 10 KiB": [10 << 10] * 2_000,
}
if QUICK:
    MERGES = {"20 slices of 1 MiB": [MIB] * 20}

BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
FUNCTION = [BUILT / "bootstrap"]
LOOP = [BUILT / "examples/bare_loop"]


def peer(name):
    return [sys.executable, ROOT / "benches/peers.py", name]


def say(text):
    print(text, file=sys.stderr, flush=True)


def named(size):
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"


def machine():
    def field(file, name):
        lines = (line.partition(":") for line in Path(file).read_text().splitlines())
        return next(value.strip() for key, _, value in lines if key.strip() == name)

    return {
        "cores": os.cpu_count(),
        "cpu": field("/proc/cpuinfo", "model name"),
        "memory_gib": round(int(field("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)),
        "linux": platform.release(),
    }


def versions():
    """Of all that was measured, and of what it was measured on."""
    pins = [line for name in ("servers", "peers") for line in (ROOT / f"scripts/{name}.in").read_text().splitlines()]
    pinned = dict(line.split("==") for line in pins if "==" in line)
    own = next(line for line in (ROOT / "Cargo.toml").read_text().splitlines() if line.startswith("version = "))
    rust = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return {"unload-header": own.split('"')[1], "rustc": rust, "Python": platform.python_version(), **pinned}


class Contest:
    """One job, done by several tools."""

    def __init__(self, bucket, size, jobs):
        """`jobs` has for each tool: a function that starts it in an environment, its job, its target, and its result's SHA-256."""
        self.bucket, self.size, self.jobs = bucket, size, jobs
        self.seconds, self.cpu, self.peak = ({name: [] for name in jobs} for _ in range(3))
        self.wrong = set()

    def once(self, name, endpoint=servers.ENDPOINT):
        start, job, _, _ = self.jobs[name]
        tool = start(servers.environment(endpoint))
        try:
            seconds = tool.work(job)
        finally:
            cpu, peak = tool.end()
        return seconds, cpu, peak

    def checked(self, name, may_be_wrong):
        _, _, target, expected = self.jobs[name]
        found = self.bucket.sha256(target)
        if found != expected:
            if name not in may_be_wrong:
                raise Failed(f"{target} of {name} has the SHA-256 {found}, and not {expected}")
            self.wrong.add(name)

    def round(self, number, checks=False, may_be_wrong=()):
        """All tools once, the `number`th first; the seconds that it took."""
        begun = time.perf_counter()
        names = list(self.jobs)
        at = number % len(names)
        for name in names[at:] + names[:at]:
            seconds, cpu, peak = self.once(name)
            self.seconds[name].append(seconds)
            self.cpu[name].append(cpu)
            self.peak[name].append(peak)
            if checks:
                self.checked(name, may_be_wrong)
            self.bucket.delete(self.jobs[name][2], size=self.size)
        return time.perf_counter() - begun

    def rounds(self, may_be_wrong=()):
        """All rounds. Results are compared in the first, those of objects of up to 256 MiB in each."""
        took = self.round(0, True, may_be_wrong)
        for number in range(1, FEW_ROUNDS if took > LONG_ROUND else ROUNDS):
            self.round(number, self.size <= 256 * MIB, may_be_wrong)

    def counted(self, delay):
        """Requests and bytes of each tool, and its seconds if each answer is held back."""
        proxy, counted = Proxy(delay), {}
        try:
            for name in self.jobs:
                proxy.taken()
                seconds, _, _ = self.once(name, proxy.endpoint)
                counted[name] = {**proxy.taken(), "seconds_held_back": seconds}
                self.bucket.delete(self.jobs[name][2], size=self.size)
        finally:
            proxy.end()
        return counted

    def result(self, counted):
        for name in self.jobs:
            say(
                f"    {name:<14} {statistics.median(self.seconds[name]):8.3f} s {statistics.median(self.cpu[name]):7.2f} s CPU "
                f"{max(self.peak[name]):7.1f} MiB"
            )
        return {
            name: {
                "seconds": self.seconds[name],
                "cpu": self.cpu[name],
                "peak": self.peak[name],
                **counted.get(name, {}),
                **({"wrong": True} if name in self.wrong else {}),
            }
            for name in self.jobs
        }


def function(**settings):
    return lambda environment: Function(FUNCTION, {**environment, "UNLOAD_PREFIX": "unload/", **settings})


def process(command):
    return lambda environment: Tool(command, environment)


def created(bucket, key):
    """What S3 tells of an object that was written."""
    head = bucket.s3.head_object(Bucket=bucket.name, Key=key)
    told = {"key": key, "size": head["ContentLength"], "eTag": head["ETag"].strip('"')}
    return {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket.name}, "object": told}}]}


def own_part_size(size, parts):
    """Of the copies that the function makes."""
    return -(-(size - 5 * MIB) // (parts - 1))


def best_loop(bucket, job, expected, size, function_parts):
    """The part size and the number of parts in flight with which the bare loop was fastest, tried one after the other: first
    all sizes, then, with the best of them, all numbers. What the function does is among what is tried."""
    tried = []

    def seconds(part_size, in_flight):
        # A larger part than the object gives the same one copy.
        key = (min(part_size, size), in_flight)
        known = next((one for one in tried if (one["part_size"], one["in_flight"]) == key), None)
        if known is None:
            it = {**job, "part_size": key[0], "in_flight": in_flight}
            contest = Contest(bucket, size, {"loop": (process(LOOP), it, job["target"], expected)})
            for number in range(1 if QUICK or size >= GIB else 2):
                contest.round(number)
            known = {"part_size": key[0], "in_flight": in_flight, "seconds": min(contest.seconds["loop"])}
            tried.append(known)
        return known["seconds"]

    seconds(own_part_size(size, function_parts), 64)
    for part_size in (8, 16, 32, 64, 128, 256) if size <= GIB else (32, 64, 128):
        seconds(part_size * MIB, 16)
    part_size = min(tried, key=lambda one: one["seconds"])["part_size"]
    for in_flight in (4, 8, 32, 64) if size <= GIB else (8, 32):
        seconds(part_size, in_flight)
    return min(tried, key=lambda one: one["seconds"]), tried


def one_object(bucket, server, size, has_crc=False):
    """A header on one object. With `has_crc`, the server keeps a CRC of it, by which the result can be proved; then the
    function stands beside a loop that has the server sum up its upload as well."""
    name = named(size).replace(" ", "") + ("crc" if has_crc else "")
    source = f"unload/{name}_0000_part_00"
    bucket.put_rows(source, size, has_crc=has_crc)
    bucket.put(f"unload/{name}_.headers", json.dumps({"columns": COLUMNS, "options": "DELIMITER '|'"}))
    alone, whole = sha256(rows(size)), sha256(chain([HEADER.encode()], rows(size)))
    job = {"bucket": bucket.name, "source": source, "target": f"others/{name}", "header": HEADER, "has_crc": has_crc}
    event = created(bucket, source)
    target = f"final/{name}_0000_part_00"
    tool = function()(servers.environment())
    tool.work(event)
    receipt = tool.answer["receipts"][0]
    tool.end()
    bucket.delete(target, size=size)
    best, tried = best_loop(bucket, job, whole, size, receipt["parts"])
    say(f"  the best bare loop: {best}")
    chosen = {"part_size": best["part_size"], "in_flight": best["in_flight"]}
    usual = {"part_size": 64 * MIB, "in_flight": 16}
    jobs = {
        "function": (function(), event, target, whole),
        "loop": (process(LOOP), {**job, **chosen}, job["target"], whole),
    }
    if has_crc and not receipt["proof"].startswith("crc"):
        raise Failed(f"{target} has no proof by CRC: {receipt}")
    own = {"part_size": own_part_size(size, receipt["parts"]), "in_flight": 64}
    others = {
        "loop_own": (process(LOOP), {**job, **own}, job["target"], whole),
        "loop_python": (process(peer("loop")), {**job, **usual}, job["target"], whole),
        "managed_copy": (process(peer("managed_copy")), job, job["target"], alone),
    }
    if size <= LARGEST_STREAM:
        others["stream"] = (process(peer("stream")), job, job["target"], whole)
        others["smart_open"] = (process(peer("smart_open")), job, job["target"], whole)
    contest = Contest(bucket, size, jobs if has_crc else {**jobs, **others})
    contest.rounds()
    result = contest.result(contest.counted(DELAY) if size <= COUNTED.get(server, size) else {})
    bucket.delete(source, size=size)
    return {"size": size, "receipt": receipt, "grid": tried, "loop": chosen, "tools": result}


def merge(bucket, what, sizes):
    """One object from many slices."""
    name, whole_size = what.replace(" ", "").replace(",", ""), sum(sizes)
    # Mebibytes are numbered on from slice to slice.
    starts = list(accumulate((-(-size // MIB) for size in sizes[:-1]), initial=0))
    # As a cluster of a thousand slices at most names them, and in the order of their keys, in which s3-concat takes them.
    keys = sorted(f"unload/{name}_{index % 1_000:04}_part_{index // 1_000:02}" for index in range(len(sizes)))
    bucket.put_all(list(zip(keys, sizes, starts)))
    entries = [
        {"url": f"s3://{bucket.name}/{key}", "meta": {"content_length": size}} for key, size in zip(keys, sizes)
    ]
    schema = {"elements": [{"name": column, "type": {"base": "character varying", "max_length": 60}} for column in COLUMNS]}
    manifest = f"unload/{name}_manifest"
    bucket.put(manifest, json.dumps({"entries": entries, "schema": schema}))

    def pieces(head):
        yield head
        for size, start in zip(sizes, starts):
            yield from rows(size, start)

    alone, whole = sha256(pieces(b"")), sha256(pieces(HEADER.encode()))
    job = {"bucket": bucket.name, "target": f"others/{name}", "header": HEADER, "sources": keys}
    jobs = {
        "function": (function(OUTPUT="single"), created(bucket, manifest), f"final/{name}.csv", whole),
        "s3_concat": (process(peer("s3_concat")), {**job, "prefix": f"unload/{name}_0"}, job["target"], alone),
        "merge": (process(peer("merge")), job, job["target"], whole),
    }
    contest = Contest(bucket, whole_size, jobs)
    # s3-concat puts slices of up to 5 MiB behind the larger ones.
    contest.rounds(may_be_wrong=("s3_concat",))
    result = contest.result(contest.counted(0.0))
    bucket.delete(manifest, *keys, size=whole_size)
    return {"what": what, "slices": len(sizes), "size": whole_size, "tools": result}


def main():
    server, results = sys.argv[1], Path(sys.argv[2])
    known = json.loads(results.read_text()) if results.exists() else {}
    begun = datetime.datetime.now()
    bucket = Bucket("bench")
    measured = {"date": f"{begun:%Y-%m-%d}", "objects": [], "proved": [], "merges": []}
    for size in SIZES:
        if size <= LARGEST.get(server, size):
            say(f"{server}: {named(size)}")
            measured["objects"].append(one_object(bucket, server, size))
        if size <= PROVED.get(server, 0):
            say(f"{server}: {named(size)}, with a CRC")
            measured["proved"].append(one_object(bucket, server, size, has_crc=True))
    for what, sizes in MERGES.items() if server == MERGES_ON else ():
        say(f"{server}: {what}")
        measured["merges"].append(merge(bucket, what, sizes))
    measured["minutes"] = (datetime.datetime.now() - begun).total_seconds() / 60
    known.setdefault("servers", {})[server] = measured
    known.update(machine=machine(), versions=versions())
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(known, indent=1) + "\n")
    say(f"{server}: {measured['minutes']:.1f} minutes")


try:
    main()
except Failed as error:
    sys.exit(f"failed: {error}")
