"""examples/airflow_dag.py, run by Airflow itself."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from common import EXAMPLES, Served
from redshift import Redshift

TABLES = """CREATE TABLE sales(id INTEGER, sold_on DATE, note VARCHAR);
    INSERT INTO sales VALUES (1, '2026-01-02', 'O''Neil'), (2, '2026-01-02', '100%'), (3, '2026-01-03', 'a,b')"""
# In a process of its own, since Airflow takes its folder and connections from the environment when it is imported.
RUN = """
import datetime
from airflow_dag import dag, ready
ready.mode, ready.poke_interval, ready.timeout = "poke", 1, 60
run = dag.test(logical_date=datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc))
assert run.state == "success", run.state
"""


class Airflow(Served):
    settings = ("--output", "single", "--unload-options", "FORMAT CSV MANIFEST VERBOSE")

    def test_the_dag_waits_for_one_file_with_redshifts_names(self):
        redshift = Redshift(TABLES)
        self.addCleanup(redshift.end)
        address = {"conn_type": "redshift", "host": "127.0.0.1", "port": redshift.port, "extra": {"ssl": False}}
        with tempfile.TemporaryDirectory() as home:
            environment = {
                **os.environ,
                "AIRFLOW_HOME": home,
                "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW_CONN_REDSHIFT_DEFAULT": json.dumps(
                    {**address, "login": "u", "password": "p", "schema": "dev"}
                ),
                "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
                "PYTHONPATH": str(EXAMPLES),
            }

            def run(*arguments):
                command = [sys.executable, *arguments]
                ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
                self.assertEqual(ran.returncode, 0, ran.stdout[-5000:] + ran.stderr[-5000:])

            run("-m", "airflow", "db", "migrate")
            run("-c", RUN)
        frame = self.final("final/sales/20260102T000000/sales.csv")
        self.assertEqual(list(frame.columns), ["id", "sold_on", "note"])
        rows = sorted(frame.itertuples(index=False, name=None))
        self.assertEqual(rows, [("1", "2026-01-02", "O'Neil"), ("2", "2026-01-02", "100%")])


if __name__ == "__main__":
    unittest.main()
