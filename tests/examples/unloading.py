"""UNLOAD, as far as the examples use it: what Redshift writes to S3 for it (AWS, Redshift database developer guide,
"UNLOAD"), in two slices."""

import csv
import io
import json
import re

import boto3

STATEMENT = re.compile(
    r"""\s*UNLOAD\s*\(\s*(?:\$\$(?P<dollars>.*?)\$\$|'(?P<quoted>(?:''|\\.|[^'\\])*)')\s*\)
        \s*TO\s+'s3://(?P<bucket>[^/']+)/(?P<prefix>[^']*)'(?P<options>.*)""",
    re.I | re.S | re.X,
)
SLICES = 2


def unload(sql, run):
    """Runs the query of an UNLOAD, and writes its slices, and a manifest where one is asked for."""
    parsed = STATEMENT.fullmatch(sql)
    if not parsed:
        raise ValueError(f"no UNLOAD that this understands: {sql}")
    bucket, prefix, options = parsed["bucket"], parsed["prefix"], parsed["options"]
    # Within quotation marks, '' is one of them, and a backslash takes the meaning from what follows.
    query = parsed["dollars"] or re.sub(r"\\(.)|''", lambda it: it[1] or "'", parsed["quoted"], flags=re.S)
    names, types, rows = run(query)
    s3 = boto3.client("s3")

    def has(option):
        return re.search(rf"\b{option}\b", options, re.I)

    keys = [it["Key"] for it in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
    by = re.search(r"PARTITION\s+BY\s*\(([^)]*)\)\s*(INCLUDE)?", options, re.I)
    by_names = [it.strip().strip('"') for it in by[1].split(",")] if by else []
    stays = [number for number, name in enumerate(names) if name not in by_names or by[2]]
    folder = prefix.removesuffix("/") + "/" if by else prefix
    slices = {}
    for number, row in enumerate(rows):
        values = dict(zip(names, row))
        place = folder + "".join(f"{name}={values[name]}/" for name in by_names)
        slices.setdefault(f"{place}{number % SLICES:04}_part_00", []).append([row[it] for it in stays])
    # With PARTITION BY, only the folders that get new files are cleaned.
    places = {key.rsplit("/", 1)[0] + "/" for key in slices} if by else {prefix}
    if has("CLEANPATH"):
        for key in keys:
            if any(key.startswith(place) for place in places):
                s3.delete_object(Bucket=bucket, Key=key)
    elif not has("ALLOWOVERWRITE") and set(slices) & set(keys):
        raise ValueError(f"Specified unload destination on S3 is not empty: s3://{bucket}/{prefix}")
    entries = []
    for key, values in slices.items():
        body = written(values, has("CSV"), [names[it] for it in stays] if has("HEADER") else None)
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        meta = {"content_length": len(body), "record_count": len(values)}
        entries.append({"url": f"s3://{bucket}/{key}", "meta": meta})
    if has("MANIFEST"):
        elements = [{"name": name, "type": {"base": kind.lower()}} for name, kind in zip(names, types)]
        verbose = {"schema": {"elements": elements}, "author": {"name": "Amazon Redshift", "version": "1.0.0"}}
        manifest = {"entries": entries, **(verbose if has("VERBOSE") else {})}
        s3.put_object(Bucket=bucket, Key=f"{folder}manifest", Body=json.dumps(manifest))


def written(rows, is_csv, header):
    out = io.StringIO()
    rows = [[("t" if it else "f") if isinstance(it, bool) else it for it in row] for row in rows]
    if is_csv:
        csv.writer(out, lineterminator="\n").writerows(([header] if header else []) + rows)
    else:
        out.writelines("|".join("" if it is None else str(it) for it in row) + "\n" for row in rows)
    return out.getvalue().encode()
