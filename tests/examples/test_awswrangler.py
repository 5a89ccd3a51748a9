"""examples/awswrangler_unload.py, with redshift_connector and awswrangler themselves."""

import unittest

import redshift_connector
from common import BUCKET, Served
from redshift import Redshift

from awswrangler_unload import unload_to_csv

TABLES = """CREATE TABLE sales(id INTEGER, sold_on DATE, note VARCHAR);
    INSERT INTO sales VALUES (1, '2026-01-01', 'O''Neil'), (2, '2026-01-01', '100%'), (3, '2026-01-02', 'a,b')"""
QUERY = "SELECT id, upper(note), sold_on FROM sales WHERE note <> 'it''s'"
ROLE = "arn:aws:iam::123456789012:role/unloads"


class Awswrangler(Served):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.redshift = Redshift(TABLES)
        cls.addClassCleanup(cls.redshift.end)
        address = {"host": "127.0.0.1", "port": cls.redshift.port, "ssl": False}
        cls.connection = redshift_connector.connect(database="dev", user="u", password="p", **address)
        cls.addClassCleanup(cls.connection.close)

    def unloaded(self, name, **settings):
        path = f"s3://{BUCKET}/unload/{name}"
        self.assertEqual(
            unload_to_csv(QUERY, path, self.connection, iam_role=ROLE, **settings), ["id", "upper", "sold_on"]
        )

    def test_names_and_rows_are_those_of_the_query(self):
        self.unloaded("q42/")
        frames = [self.final(f"final/q42/{number:04}_part_00") for number in (0, 1)]
        self.assertEqual([list(frame.columns) for frame in frames], [["id", "upper", "sold_on"]] * 2)
        rows = sorted(row for frame in frames for row in frame.itertuples(index=False, name=None))
        self.assertEqual(rows, [("1", "O'NEIL", "2026-01-01"), ("2", "100%", "2026-01-01"), ("3", "A,B", "2026-01-02")])

    def test_columns_of_the_partition_are_left_out(self):
        self.unloaded("partitioned/", partition_cols=["sold_on"])
        frame = self.final("final/partitioned/sold_on=2026-01-02/0000_part_00")
        self.assertEqual(list(frame.columns), ["id", "upper"])

    def test_a_sidecar_that_cleanpath_removed_is_written_again(self):
        self.unloaded("cleaned/", cleanpath=True)
        self.assertEqual(list(self.final("final/cleaned/0000_part_00").columns), ["id", "upper", "sold_on"])
        # So it was until then, and AWS Lambda would have retried the event.
        self.assertIn("failed     s3://my-unloads/unload/cleaned/0000_part_00  ColumnsNotFound", self.said())


class IntoOneFile(Awswrangler):
    settings = ("--output", "single")

    def test_names_and_rows_are_those_of_the_query(self):
        self.unloaded("q42/")
        frame = self.final("final/q42.csv")
        self.assertEqual((list(frame.columns), sorted(frame["id"])), (["id", "upper", "sold_on"], ["1", "2", "3"]))

    def test_columns_of_the_partition_are_left_out(self):
        self.unloaded("partitioned/", partition_cols=["sold_on"])
        frame = self.final("final/partitioned/sold_on=2026-01-01/partitioned.csv")
        self.assertEqual((list(frame.columns), sorted(frame["id"])), (["id", "upper"], ["1", "2"]))

    def test_a_sidecar_that_cleanpath_removed_is_written_again(self):
        self.unloaded("cleaned/", cleanpath=True)
        self.assertEqual(sorted(self.final("final/cleaned.csv")["id"]), ["1", "2", "3"])


if __name__ == "__main__":
    unittest.main()
