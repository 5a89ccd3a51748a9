"""examples/dbt_unload.sql, run by dbt with its adapter for Redshift."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from common import EXAMPLES, Served
from redshift import Redshift

# dbt asks for the backend's number, and for the rules of views.
TABLES = """CREATE MACRO pg_backend_pid() AS 1; CREATE TABLE pg_rewrite(ev_class BIGINT, oid BIGINT);
    CREATE TABLE sales(id INTEGER, sold_on DATE);
    INSERT INTO sales VALUES (1, '2026-01-01'), (2, '2026-01-02'), (3, '2026-01-02')"""
MODEL = """{{ config(materialized="table", post_hook="{{ unload('s3://my-unloads/unload/') }}") }}
select sold_on, max(id), count(*) as "Sales of the day" from main.sales group by sold_on
"""
PROJECT = {"name": "sales", "version": "1.0", "profile": "sales", "flags": {"send_anonymous_usage_stats": False}}


class Dbt(Served):
    settings = ("--output", "single", "--unload-options", "FORMAT CSV MANIFEST VERBOSE")

    def run_dbt(self, port):
        target = {
            "type": "redshift",
            "host": "127.0.0.1",
            "port": port,
            "user": "u",
            "password": "p",
            "sslmode": "disable",
        }
        profiles = {"sales": {"target": "it", "outputs": {"it": {**target, "dbname": "memory", "schema": "main"}}}}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "models").mkdir()
            (Path(folder) / "macros").mkdir()
            # JSON is YAML.
            (Path(folder) / "dbt_project.yml").write_text(json.dumps(PROJECT))
            (Path(folder) / "profiles.yml").write_text(json.dumps(profiles))
            (Path(folder) / "models/daily_sales.sql").write_text(MODEL)
            shutil.copy(EXAMPLES / "dbt_unload.sql", Path(folder) / "macros")
            dbt = [Path(sys.executable).parent / "dbt", "run", "--no-use-colors"]
            ran = subprocess.run(dbt, cwd=folder, capture_output=True, text=True, env=os.environ, timeout=300)
            self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_the_post_hook_makes_one_file_of_the_newest_run(self):
        redshift = Redshift(TABLES)
        self.addCleanup(redshift.end)
        self.run_dbt(redshift.port)
        frame = self.final("final/daily_sales.csv")
        self.assertEqual(list(frame.columns), ["sold_on", "max", "sales of the day"])
        rows = sorted(frame.itertuples(index=False, name=None))
        self.assertEqual(rows, [("2026-01-01", "1", "1"), ("2026-01-02", "3", "2")])


if __name__ == "__main__":
    unittest.main()
