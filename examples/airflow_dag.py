"""For Airflow's RedshiftToS3Operator, which hands options on to UNLOAD.

The DAG unloads a query with MANIFEST VERBOSE, so that Redshift itself names the columns, and waits for the one file that
the function makes of it, with OUTPUT=single and UNLOAD_OPTIONS=FORMAT CSV MANIFEST VERBOSE.
"""

from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.transfers.redshift_to_s3 import RedshiftToS3Operator
from airflow.sdk import DAG

BUCKET = "my-unloads"

with DAG("sales_to_s3", schedule="@daily", catchup=False, tags=["unload-header"]) as dag:
    unload = RedshiftToS3Operator(
        task_id="unload",
        select_query="SELECT * FROM sales WHERE sold_on = '{{ ds }}'",
        s3_bucket=BUCKET,
        # Each run has a folder of its own, so that the sensor can't see an older run's file.
        s3_key="unload/sales/{{ ts_nodash }}/sales_",
        table_as_file_name=False,
        # Not include_header=True, which would put a header into each slice. A task that is retried unloads once more.
        unload_options=["FORMAT CSV", "MANIFEST VERBOSE", "ALLOWOVERWRITE"],
    )
    ready = S3KeySensor(
        task_id="ready",
        bucket_key=f"s3://{BUCKET}/final/sales/{{{{ ts_nodash }}}}/sales.csv",
        poke_interval=15,
        timeout=3600,
        mode="reschedule",
    )
    unload >> ready
