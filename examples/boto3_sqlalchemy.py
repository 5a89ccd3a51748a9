"""For apps that make their queries with SQLAlchemy, on redshift_connector or psycopg2.

`unload` runs an UNLOAD, and writes the names of the query's columns beside it, so that its files get them as headers.
"""

import json

import boto3
from sqlalchemy import Connection, Select


def unload(connection: Connection, query: Select, uri: str, options: str = "FORMAT CSV") -> None:
    """UNLOADs a query to s3://bucket/prefix, a prefix of its own. With MANIFEST VERBOSE, Redshift writes the names."""
    is_verbose = "VERBOSE" in options.upper()
    if "CLEANPATH" in options.upper() and not is_verbose:
        raise ValueError("CLEANPATH may remove the sidecar, and files without names fail: unload with MANIFEST VERBOSE")
    statement = f"UNLOAD ('{quoted(connection, query)}') TO '{uri}' IAM_ROLE default {options}"
    if not is_verbose:
        # The names of the statement as it is compiled, where an expression without a label gets one. Those of PARTITION
        # BY's columns may stay among them: they are left out where the rows lack them.
        names = list(connection.execute(query.limit(0)).keys())
        bucket, prefix = uri.removeprefix("s3://").split("/", 1)
        sidecar = json.dumps({"columns": names, "options": options})
        boto3.client("s3").put_object(Bucket=bucket, Key=f"{prefix}.headers", Body=sidecar)
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def quoted(connection: Connection, query: Select) -> str:
    """The query with its values in it, as it stands between the quotation marks of an UNLOAD."""
    sql = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
    if "\\" in sql:
        raise ValueError("Redshift reads a backslash in a literal as an escape, and the dialect writes it as it is")
    # Compiled for drivers that take %s for a parameter, % is doubled; there is no parameter left.
    return (sql % ()).replace("'", "''")
