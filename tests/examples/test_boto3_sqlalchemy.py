"""examples/boto3_sqlalchemy.py, with the drivers that it is for."""

import datetime
import unittest

import sqlalchemy
from common import BUCKET, Served
from redshift import Redshift

from boto3_sqlalchemy import unload

SALES = sqlalchemy.Table(
    "sales",
    sqlalchemy.MetaData(),
    sqlalchemy.Column("id", sqlalchemy.Integer),
    sqlalchemy.Column("sold_on", sqlalchemy.Date),
    sqlalchemy.Column("note", sqlalchemy.String),
)
# What is quoted, doubled or taken for a parameter somewhere on the way.
NOTES = ["O'Neil", "''", "100%", "%s", "%%", "%(note)s", ":note", "$1", "$$", "a,b", 'say "hi"', "Zürich", "?"]
DRIVERS = {"redshift+psycopg2": {"sslmode": "disable"}, "redshift+redshift_connector": {"ssl": False}}


class Unloading(Served):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rows = [f"({number}, '2026-01-0{number % 2 + 1}', '{note}')" for number, note in enumerate(map(doubled, NOTES))]
        tables = "CREATE TABLE sales(id INTEGER, sold_on DATE, note VARCHAR); INSERT INTO sales VALUES " + ", ".join(
            rows
        )
        cls.redshift = Redshift(tables)
        cls.addClassCleanup(cls.redshift.end)

    def with_each_driver(self, check):
        """Calls a check with a connection of each driver, and a prefix for what it unloads."""
        for url, arguments in DRIVERS.items():
            engine = sqlalchemy.create_engine(f"{url}://u:p@127.0.0.1:{self.redshift.port}/dev", connect_args=arguments)
            with self.subTest(url), engine.connect() as connection:
                check(connection, f"unload/{self.id().rsplit('.', 1)[1]}/{url}_")
            engine.dispose()

    def rows(self, *prefixes):
        """The names of all files below a prefix, and their rows."""
        frames = [self.final(key.replace("unload/", "final/", 1)) for prefix in prefixes for key in self.keys(prefix)]
        names = {tuple(frame.columns) for frame in frames}
        self.assertEqual(len(names), 1, names)
        return list(names.pop()), sorted(row for frame in frames for row in frame.itertuples(index=False, name=None))


class WithSidecars(Unloading):
    def test_names_and_rows_are_those_of_the_query(self):
        each = SALES.c
        query = sqlalchemy.select(
            sqlalchemy.func.max(each.id),
            sqlalchemy.func.max(each.note),
            (sqlalchemy.func.min(each.id) % 7).label('Rest, in "days"'),
            sqlalchemy.literal("it's 5 %").label("größe"),
        ).where(each.note.in_(NOTES), each.sold_on >= datetime.date(2026, 1, 1))
        query = query.group_by(each.id)

        def check(connection, prefix):
            unload(connection, query, f"s3://{BUCKET}/{prefix}")
            names, rows = self.rows(f"{prefix}0")
            self.assertEqual(names, ["max_1", "max_2", 'Rest, in "days"', "größe"])
            expected = sorted(tuple(map(str, row)) for row in connection.execute(query))
            self.assertEqual((rows, len(rows)), (expected, len(NOTES)))

        self.with_each_driver(check)

    def test_names_that_stand_twice_are_told_apart(self):
        other = SALES.alias("other")
        query = sqlalchemy.select(SALES.c.id, other.c.id, SALES.c.note).join(other, SALES.c.id == other.c.id)

        def check(connection, prefix):
            unload(connection, query, f"s3://{BUCKET}/{prefix}")
            self.assertEqual(self.rows(f"{prefix}0")[0], ["id", "id_1", "note"])

        self.with_each_driver(check)

    def test_columns_of_the_partition_are_left_out(self):
        query = sqlalchemy.select(SALES.c.id, SALES.c.sold_on, SALES.c.note)

        def check(connection, prefix):
            unload(connection, query, f"s3://{BUCKET}/{prefix}", "FORMAT CSV PARTITION BY (sold_on)")
            names, rows = self.rows(*[f"{prefix}/sold_on=2026-01-0{day}/" for day in (1, 2)])
            self.assertEqual((names, len(rows)), (["id", "note"], len(NOTES)))

        self.with_each_driver(check)

    def test_what_would_go_wrong_is_refused_before_anything_is_written(self):
        query = sqlalchemy.select(SALES.c.id)

        def check(connection, prefix):
            with self.assertRaisesRegex(ValueError, "backslash"):
                unload(connection, query.where(SALES.c.note == "a\\b"), f"s3://{BUCKET}/{prefix}")
            with self.assertRaisesRegex(ValueError, "CLEANPATH"):
                unload(connection, query, f"s3://{BUCKET}/{prefix}", "FORMAT CSV CLEANPATH")
            self.assertEqual(self.keys(prefix), [])

        self.with_each_driver(check)


class WithRedshiftsOwnNames(Unloading):
    settings = ("--unload-options", "FORMAT CSV MANIFEST VERBOSE")

    def test_no_sidecar_is_written(self):
        query = sqlalchemy.select(sqlalchemy.func.max(SALES.c.id), SALES.c.note.label("Note")).group_by(SALES.c.note)

        def check(connection, prefix):
            for cleans in ("", " CLEANPATH"):
                unload(connection, query, f"s3://{BUCKET}/{prefix}", f"FORMAT CSV MANIFEST VERBOSE{cleans}")
                slices = [f"{prefix}{number:04}_part_00" for number in (0, 1)]
                self.assertEqual(self.keys(prefix), [*slices, f"{prefix}manifest"])
                self.assertEqual(self.rows(*slices)[0], ["max_1", "note"])

        self.with_each_driver(check)


def doubled(text):
    return text.replace("'", "''")


if __name__ == "__main__":
    unittest.main()
