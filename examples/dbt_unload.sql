{#
  For dbt on Redshift, whose post-hooks run SQL and can write no sidecar: with MANIFEST VERBOSE Redshift itself names the
  columns, as the table has them. Put this file into macros/, and a post-hook into a model, whose table is then unloaded after
  each run; with OUTPUT=single, final/MODEL.csv is that of the newest run:

    {{ config(materialized="table", post_hook="{{ unload('s3://my-unloads/unload/') }}") }}

  The function's UNLOAD_OPTIONS are FORMAT CSV MANIFEST VERBOSE as well.
#}
{% macro unload(folder) %}
    unload ($$select * from {{ this }}$$)
    to '{{ folder }}{{ this.identifier }}_'
    iam_role default
    format csv manifest verbose allowoverwrite
{% endmacro %}
