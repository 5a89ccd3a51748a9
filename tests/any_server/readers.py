"""Reads final objects as their users do: Python's csv, gzip and bz2, zstandard, pandas and DuckDB.

Each line of the input is an object, as JSON: what it is, its bytes, its dialect, and the names and rows that a
reader must find. Prints how many objects each reader has read; any difference ends it with what was found.
"""

import base64
import bz2
import collections
import csv
import gzip
import io
import json
import pathlib
import sys
import tempfile

import duckdb
import pandas
import zstandard

SUFFIXES = {None: "", "gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst"}


def text_of(path, compression):
    open_it = {None: open, "gzip": gzip.open, "bzip2": bz2.open, "zstd": zstandard.open}[compression]
    with open_it(path, "rb") as file:
        return file.read().decode("utf-8-sig")


def by_csv(path, compression, dialect):
    if dialect["widths"]:
        return None
    text = io.StringIO(text_of(path, compression), newline="")
    quoting = csv.QUOTE_MINIMAL if dialect["quotes"] else csv.QUOTE_NONE
    doubles, escape = dialect["kind"] == "csv", "\\" if dialect["escape"] else None
    return list(csv.reader(text, delimiter=dialect["delimiter"], quoting=quoting, doublequote=doubles, escapechar=escape))


def by_pandas(path, compression, dialect):
    kind = {"bzip2": "bz2"}.get(compression, compression)
    every = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", "compression": kind}
    if dialect["widths"]:
        frame = pandas.read_fwf(path, widths=dialect["widths"], **every)
    else:
        frame = pandas.read_csv(
            path,
            sep=dialect["delimiter"],
            quoting=csv.QUOTE_MINIMAL if dialect["quotes"] else csv.QUOTE_NONE,
            doublequote=dialect["kind"] == "csv",
            escapechar="\\" if dialect["escape"] else None,
            **every,
        )
    return [list(frame.columns), *frame.to_numpy().tolist()]


def by_duckdb(path, compression, dialect):
    if dialect["widths"] or compression == "bzip2" or dialect["escape"] and not dialect["quotes"]:
        return None
    escape = "\\" if dialect["escape"] else '"' if dialect["quotes"] else ""
    relation = duckdb.read_csv(
        str(path),
        delimiter=dialect["delimiter"],
        quotechar='"' if dialect["quotes"] else "",
        escapechar=escape,
        header=True,
        all_varchar=True,
        compression=compression or "none",
    )
    return [list(relation.columns), *[[value or "" for value in row] for row in relation.fetchall()]]


def main():
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            sample = json.loads(line)
            compression = sample["compression"]
            path = pathlib.Path(folder, "object" + SUFFIXES[compression])
            path.write_bytes(base64.b64decode(sample["bytes"]))
            expected = [sample["names"], *sample["rows"]]
            for reader in by_csv, by_pandas, by_duckdb:
                found = reader(path, compression, sample["dialect"])
                if found is not None and found != expected:
                    sys.exit(f"{sample['what']}: {reader.__name__} finds {found}, not {expected}")
                counts[reader.__name__] += found is not None
    print(", ".join(f"{name.removeprefix('by_')} has read {count}" for name, count in counts.items()))


main()
