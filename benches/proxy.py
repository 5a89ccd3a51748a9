"""A proxy in front of an S3 server that counts what passes:

    benches/proxy.py HOST:PORT [--delay SECONDS] [--tls CERTIFICATE KEY]

It prints the port that it listens on. For each line on its standard input it prints, as JSON, what has passed since the
line before: requests by operation, and bytes in both directions, those of HTTP's own lines among them. Nothing that passes
is changed, so that signatures stay right. It ends with its standard input.
"""

import argparse
import asyncio
import collections
import json
import ssl
import sys
import urllib.parse

CHUNK = 1 << 18


class Counts:
    def __init__(self):
        self.operations = collections.Counter()
        self.sent = self.received = 0

    def taken(self):
        """What was counted, from the tool's side; then it counts from zero."""
        counts = {"operations": dict(self.operations), "sent": self.sent, "received": self.received}
        self.__init__()
        return counts


def operation(method, target, headers):
    """The name that S3's API has for a request."""
    path, _, query = target.partition("?")
    words = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    is_object = len(path.strip("/").split("/", 1)) == 2
    copies = "x-amz-copy-source" in headers
    for word, names in {
        "uploadId": {"PUT": "UploadPartCopy" if copies else "UploadPart", "POST": "CompleteMultipartUpload",
                     "GET": "ListParts", "DELETE": "AbortMultipartUpload"},
        "uploads": {"POST": "CreateMultipartUpload", "GET": "ListMultipartUploads"},
        "attributes": {"GET": "GetObjectAttributes"},
        "tagging": {"GET": "GetObjectTagging"},
    }.items():
        if word in words and method in names:
            return names[method]
    if is_object:
        return "CopyObject" if copies else f"{method.capitalize()}Object"
    return "ListObjects" if method == "GET" else f"{method.capitalize()}Bucket"


async def requests(reader, writer, counts, delay):
    """Passes requests on, one after the other."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            if end.partial:
                raise
            return
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        counts.operations[operation(method, target, headers)] += 1
        await asyncio.sleep(delay)
        await passed(head, writer, counts)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            size = None
            while size != 0:
                line = await reader.readuntil(b"\r\n")
                await passed(line, writer, counts)
                size = int(line.split(b";")[0], 16)
                await body(reader, size + 2, writer, counts)
        else:
            await body(reader, int(headers.get("content-length", 0)), writer, counts)


async def body(reader, length, writer, counts):
    while length > 0:
        chunk = await reader.read(min(length, CHUNK))
        if not chunk:
            raise ConnectionError("a request's body was broken off")
        length -= len(chunk)
        await passed(chunk, writer, counts)


async def passed(some, writer, counts):
    counts.sent += len(some)
    writer.write(some)
    await writer.drain()


async def answers(reader, writer, counts):
    while some := await reader.read(CHUNK):
        counts.received += len(some)
        writer.write(some)
        await writer.drain()


async def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("server")
    arguments.add_argument("--delay", type=float, default=0)
    arguments.add_argument("--tls", nargs=2)
    given = arguments.parse_args()
    host, port = given.server.split(":")
    counts = Counts()

    async def connected(reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection(host, port, limit=CHUNK)
        except OSError as error:
            print(f"the S3 server can't be reached: {error}", file=sys.stderr)
            writer.close()
            return
        both = [asyncio.create_task(requests(reader, to_writer, counts, given.delay)),
                asyncio.create_task(answers(to_reader, writer, counts))]
        # Whoever closes a connection ends both directions, as HTTP's clients and servers do.
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        for end in (writer, to_writer):
            end.close()

    context = None
    if given.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*given.tls)
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context, limit=CHUNK)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(counts.taken()), flush=True)


asyncio.run(main())
