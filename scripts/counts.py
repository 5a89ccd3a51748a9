"""Runs each case of examples/counts.rs in valgrind, once with its work and once without, and compares the difference with
the file of what is allowed: `counts.py BINARY FILE [write]`. See counts.sh."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

TOOLS = {
    "instructions": (["--tool=callgrind", "--callgrind-out-file=/dev/null"], r"Collected : (\d+)"),
    "bytes": (["--tool=dhat", "--dhat-out-file=/dev/null"], r"Total: +([\d,]+) bytes"),
    "allocations": (["--tool=dhat", "--dhat-out-file=/dev/null"], r"Total: +[\d,]+ bytes in ([\d,]+) blocks"),
}

# Seconds; the longest takes 20.
TOO_LONG = 180


def run(binary: str, case: str, options: tuple[str, ...], work: str) -> str:
    try:
        run = subprocess.run(["valgrind", *options, binary, case, work], capture_output=True, text=True, timeout=TOO_LONG)
    except subprocess.TimeoutExpired:
        sys.exit(f"{case}: it takes longer than {TOO_LONG} s, and so far more than is allowed")
    if run.returncode != 0:
        sys.exit(f"{case}: {run.stderr}")
    return run.stderr


def counted(binary: str, case: str) -> dict[str, int]:
    said = {(tuple(options), work): "" for options, _ in TOOLS.values() for work in "01"}
    said = {(options, work): run(binary, case, options, work) for options, work in said}

    def number(options: list[str], pattern: str, work: str) -> int:
        return int(re.search(pattern, said[tuple(options), work])[1].replace(",", ""))

    return {what: number(*tool, "1") - number(*tool, "0") for what, tool in TOOLS.items()}


def main(binary: str, file: str, mode: str = "") -> None:
    cases = subprocess.run([binary], capture_output=True, text=True, check=True).stdout.split()
    with ThreadPoolExecutor(2) as pool:
        counts = dict(zip(cases, pool.map(lambda case: counted(binary, case), cases)))
    lines = [f"{case} {what} {count}" for case in cases for what, count in counts[case].items()]
    print(*lines, sep="\n")
    if mode == "write":
        allowed = [f"{case} {what} {count + count // 20}" for case in cases for what, count in counts[case].items()]
        open(file, "w").write("\n".join(allowed) + "\n")
        return
    allowed = {(case, what): int(count) for case, what, count in map(str.split, open(file))}
    over = [
        f"{case}: {counts[case][what]} {what}; {allowed.get((case, what), 'nothing')} allowed"
        for case in cases
        for what in counts[case]
        if counts[case][what] > allowed.get((case, what), -1)
    ]
    if over:
        sys.exit("more than benches/counts.txt allows:\n" + "\n".join(over))


main(*sys.argv[1:])
