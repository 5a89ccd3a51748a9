"""PostgreSQL's protocol, as far as the drivers of Redshift speak it (PostgreSQL's documentation, "Message Formats"). The
server behind it runs statements, and answers with names, types and rows."""

import re
import socketserver
import struct

# PostgreSQL's pg_type, and how struct packs it where a driver asks for it in binary form.
TYPES = {
    "BOOLEAN": (16, "!?"),
    "BIGINT": (20, "!q"),
    "INTEGER": (23, "!i"),
    "DOUBLE": (701, "!d"),
    "VARCHAR": (1043, None),
    "DATE": (1082, None),
}
BEFORE_STARTUP = {80877103: "SSLRequest", 80877104: "GSSENCRequest"}
INTEGERS = (20, 21, 23)


class Session(socketserver.StreamRequestHandler):
    """One connection. `server.run(sql, values)` answers a statement, and `server.has_rows(sql)` tells what to say of one
    before it runs."""

    def handle(self):
        self.begin()
        self.statements, self.portals, is_failed = {}, {}, False
        steps = {b"Q": self.query, b"P": self.parse, b"B": self.bind, b"D": self.describe, b"E": self.execute}
        while (kind := self.rfile.read(1)) and kind != b"X":
            body = self.rfile.read(struct.unpack("!i", self.rfile.read(4))[0] - 4)
            try:
                # After an error, all is skipped up to Sync.
                if kind in steps and not is_failed:
                    steps[kind](body)
                elif kind == b"C":
                    self.send(b"3")
            except Exception as error:  # noqa: BLE001 The client is told of any.
                is_failed = True
                self.send(b"E", f"SERROR\0C42601\0M{error}\0\0".encode())
            if kind in (b"Q", b"S"):
                is_failed = False
                self.send(b"Z", b"I")
            self.wfile.flush()

    def begin(self):
        length, code = struct.unpack("!ii", self.rfile.read(8))
        self.rfile.read(length - 8)
        if code in BEFORE_STARTUP:
            self.wfile.write(b"N")
            return self.begin()
        self.send(b"R", struct.pack("!i", 0))
        for name, value in {"server_version": "8.0.2", "client_encoding": "UTF8", "DateStyle": "ISO, MDY"}.items():
            self.send(b"S", f"{name}\0{value}\0".encode())
        self.send(b"K", struct.pack("!ii", 1, 1))
        self.send(b"Z", b"I")

    def send(self, kind, body=b""):
        self.wfile.write(kind + struct.pack("!i", len(body) + 4) + body)

    def query(self, body):
        self.answer(body.rstrip(b"\0").decode(), [], [0], True)

    def parse(self, body):
        name, sql, rest = body.split(b"\0", 2)
        self.statements[name] = sql.decode(), numbers(rest, "i")[0]
        self.send(b"1")

    def bind(self, body):
        portal, name, rest = body.split(b"\0", 2)
        sql, oids = self.statements[name]
        formats, rest = numbers(rest, "h")
        (count,), rest, values = struct.unpack("!h", rest[:2]), rest[2:], []
        for number in range(count):
            (length,), rest = struct.unpack("!i", rest[:4]), rest[4:]
            raw, rest = rest[: max(length, 0)], rest[max(length, 0) :]
            is_integer = number < len(oids) and oids[number] in INTEGERS
            value = int.from_bytes(raw, "big", signed=True) if is_integer and of(formats, number) else raw.decode()
            values.append(None if length < 0 else value)
        self.portals[portal] = sql, values, numbers(rest, "h")[0]
        self.send(b"2")

    def describe(self, body):
        kind, name = body[:1], body[1:-1]
        sql, values, _ = self.portals[name] if kind == b"P" else (*self.statements[name], [])
        if kind == b"S":
            values = [None] * len(set(re.findall(r"\$\d+", sql)))
            self.send(b"t", struct.pack("!h", len(values)) + struct.pack("!i", 705) * len(values))
        if self.server.has_rows(sql):
            names, types, _ = self.server.run(sql, values)
            self.columns(names, types)
        else:
            self.send(b"n")

    def execute(self, body):
        self.answer(*self.portals[body.split(b"\0")[0]], False)

    def answer(self, sql, values, formats, is_simple):
        names, types, rows = self.server.run(sql, values)
        if names and is_simple:
            self.columns(names, types)
        for row in rows:
            fields = [field(value, types[it], of(formats, it)) for it, value in enumerate(row)]
            self.send(b"D", struct.pack("!h", len(row)) + b"".join(fields))
        self.send(b"C", f"SELECT {len(rows)}\0".encode() if names else sql.split()[0].upper().encode() + b"\0")

    def columns(self, names, types):
        rows = [struct.pack("!ihihih", 0, 0, TYPES.get(it, TYPES["VARCHAR"])[0], -1, -1, 0) for it in types]
        described = [name.encode() + b"\0" + row for name, row in zip(names, rows)]
        self.send(b"T", struct.pack("!h", len(names)) + b"".join(described))


def numbers(body, kind):
    """A list of 16-bit or 32-bit numbers with its count before it, and what follows."""
    (count,) = struct.unpack("!h", body[:2])
    end = 2 + count * struct.calcsize(kind)
    return list(struct.unpack(f"!{count}{kind}", body[2:end])), body[end:]


def of(formats, number):
    """The format of a value: none is given for any, one for all, or one for each."""
    return formats[number if len(formats) > 1 else 0] if formats else 0


def field(value, kind, is_binary):
    if value is None:
        return struct.pack("!i", -1)
    form = TYPES.get(kind, TYPES["VARCHAR"])[1]
    if is_binary and form:
        packed = struct.pack(form, value)
    else:
        packed = (("t" if value else "f") if isinstance(value, bool) else str(value)).encode()
    return struct.pack("!i", len(packed)) + packed
