"""Draws docs/terminal.svg: the command line at work on the S3 server that scripts/with-server.sh has started, as a terminal
shows it.

    scripts/with-server.sh seaweedfs .tools/examples/bin/python scripts/terminal.py
"""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
from html import escape
from pathlib import Path

import boto3
import pyte

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, LINES, MIB = 114, 200, 1 << 20
BUCKET, UNLOADS = "my-unloads", {"events": 20, "sales": 32}
SESSION = [
    ("What would be done, and what it takes.", "unload-header add s3://my-unloads/unload/ --dry-run"),
    ("S3 copies the rows; 5 MiB of each file pass through this machine.", "unload-header add s3://my-unloads/unload/"),
    ("Once more: all of it is done.", "unload-header add s3://my-unloads/unload/"),
    ("Is every unload one file now? The exit status says it as well.", "unload-header check s3://my-unloads/unload/"),
    ("What does this store keep of what AWS's S3 promises?", "unload-header doctor s3://my-unloads/scratch/"),
]
# Of a longer answer, only the end is drawn.
LONGEST = 16
# As wide as 13 px of a monospaced font mostly are; `textLength` makes any other as wide.
WIDTH, HEIGHT, MARGIN = 7.8, 18, 20
DOTS = ("#ff5f57", "#febc2e", "#28c840")
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"


def unload(s3):
    """Two unloads of two slices each, of which S3 makes most itself."""
    s3.create_bucket(Bucket=BUCKET)
    row = b"2026-11-27,Boris Godunov,42.50\n"
    s3.put_object(Bucket=BUCKET, Key="rows", Body=row * (16 * MIB // len(row)))
    for name, parts in UNLOADS.items():
        sidecar = {"columns": ["sold on", "event", "price"], "options": "FORMAT CSV"}
        s3.put_object(Bucket=BUCKET, Key=f"unload/{name}_.headers", Body=json.dumps(sidecar))
        for number in range(2):
            upload = {"Bucket": BUCKET, "Key": f"unload/{name}_{number:04}_part_00"}
            upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
            made = []
            for part in range(1, parts + 1):
                copied = s3.upload_part_copy(**upload, PartNumber=part, CopySource=f"{BUCKET}/rows")["CopyPartResult"]
                made.append({"PartNumber": part, "ETag": copied["ETag"]})
            s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": made})


def shown(command):
    """What a terminal shows in the middle of a command, if that is bars for each unload and for all, and at its end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(["sh", "-c", command], stdin=side, stdout=side, stderr=side, close_fds=True)
    os.close(side)
    frames = []
    while process.poll() is None or select.select([main], [], [], 0)[0]:
        if select.select([main], [], [], 0.05)[0]:
            try:
                stream.feed(os.read(main, 1 << 16))
            except OSError:
                # So Linux says that nobody has the other side any more.
                break
        now = lines(screen)
        if (
            len(now) > len(UNLOADS)
            and all(re.search(r" parts  s3://| left; ", line) for line in now)
            and now not in frames
        ):
            frames.append(now)
    os.close(main)
    middle = min(frames, key=lambda frame: abs(frame[-1].count("█") - frame[-1].count("░")), default=[])
    return middle, lines(screen)


def lines(screen):
    return "\n".join(line.rstrip() for line in screen.display).rstrip().split("\n")


def svg(session):
    drawn, y, wide = [], MARGIN + 44, COLUMNS * WIDTH
    for comment, command, middle, end in session:
        end = end if len(end) <= LONGEST else ["…", *end[-9:]]
        if middle:
            at = f'x="{MARGIN - 6}" y="{y + 2 * HEIGHT - 13}"'
            drawn.append(f'<rect {at} width="{wide + 12:.1f}" height="{len(middle) * HEIGHT}"/>')
        kinds = ["comment", "command", *["bars"] * len(middle), *["end"] * len(end)]
        for kind, line in zip(kinds, [f"# {comment}", f"$ {command}", *middle, *end]):
            length = f'textLength="{len(line) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
            drawn.append(f'<text class="{kind}" x="{MARGIN}" y="{y}" {length}>{escape(line, quote=False)}</text>')
            y += HEIGHT
        y += HEIGHT // 2
    dots = [f'<circle cx="{24 + 20 * it}" cy="22" r="6" fill="{fill}"/>' for it, fill in enumerate(DOTS)]
    width, height, body = round(wide + 2 * MARGIN), y - HEIGHT + MARGIN, "\n".join(dots + drawn)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<title>unload-header at work: a dry run, a run, the same run again, check and doctor</title>
<style>
text {{ font: 13px {FONTS}; white-space: pre; fill: #c9d1d9 }}
rect {{ fill: #161b22 }} .box {{ fill: #0d1117; stroke: #30363d }}
.comment {{ fill: #8b949e }} .command {{ fill: #7ee787; font-weight: 600 }} .bars {{ fill: #79c0ff }}
</style>
<rect class="box" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="10"/>
{body}
</svg>
"""


def main():
    os.environ.update(
        AWS_ENDPOINT_URL_S3=os.environ["TEST_S3_ENDPOINT"],
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY=os.environ["TEST_S3_SECRET"],
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        UNLOAD_PREFIX="unload/",
        OUTPUT="single",
        TERM="xterm-256color",
        PATH=f"{ROOT / 'target/debug'}:{os.environ['PATH']}",
    )
    unload(boto3.client("s3"))
    (ROOT / "docs/terminal.svg").write_text(svg([(comment, command, *shown(command)) for comment, command in SESSION]))


if __name__ == "__main__":
    main()
