"""A stand-in for Redshift: real drivers connect to it, DuckDB runs their queries, and what they UNLOAD goes to S3 in
Redshift's names and forms."""

import re
import socketserver
import threading

import duckdb

from unloading import unload
from wire import Session

VERSION = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.47357"
NOTHING = ([], [], [])


class Redshift(socketserver.ThreadingTCPServer):
    """A server on a free port of 127.0.0.1, with tables."""

    daemon_threads = True

    def __init__(self, tables):
        super().__init__(("127.0.0.1", 0), Session)
        self.database, self.unloads = duckdb.connect(), []
        self.database.execute(tables)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def end(self):
        self.shutdown()
        self.server_close()

    def has_rows(self, sql):
        return bool(re.match(r"\s*(/\*.*?\*/\s*)?(SELECT|WITH|SHOW)\b", sql, re.I | re.S))

    def run(self, sql, values=()):
        """The names, types and rows of a statement, a comment before which counts for nothing."""
        sql = re.sub(r"\s*/\*.*?\*/", "", sql, count=1, flags=re.S)
        if re.match(r"\s*UNLOAD\b", sql, re.I):
            self.unloads.append(sql)
            unload(sql, self.run)
            return NOTHING
        if re.match(r"\s*(BEGIN|START|COMMIT|ROLLBACK|SET)\b", sql, re.I):
            return NOTHING
        if re.match(r"\s*select pg_catalog.version\(\)", sql, re.I):
            return ["version"], ["VARCHAR"], [(VERSION,)]
        if re.match(r"\s*show transaction isolation level", sql, re.I):
            return ["transaction_isolation"], ["VARCHAR"], [("Serializable",)]
        result = self.database.cursor().execute(in_duckdbs_form(sql), list(values))
        if not self.has_rows(sql):
            return NOTHING
        return [named(it[0]) for it in result.description], [str(it[1]) for it in result.description], result.fetchall()


def named(name):
    """A column in Redshift's result: names are folded, quoted ones too, unless enable_case_sensitive_identifier is on (AWS,
    Redshift database developer guide, "Names and identifiers"), and an expression has the name of its function."""
    return re.sub(r"^(\w+)\(.*", r"\1", name).lower()


def in_duckdbs_form(sql):
    """Literals as DuckDB has them: in Redshift's, a backslash takes the meaning from what follows (the guide's "Unloading
    data to Amazon S3" has `\\'` for a quotation mark)."""

    def literal(match):
        value = re.sub(r"\\(.)|''", lambda it: it[1] or "'", match[0][1:-1], flags=re.S)
        return "'" + value.replace("'", "''") + "'"

    return re.sub(r"'(?:[^'\\]|''|\\.)*'", literal, sql, flags=re.S)
