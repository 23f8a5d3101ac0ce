{#
    Writes the model as CSV and Parquet below the export directory. Each file gets a temporary name
    and is renamed when it is whole. The CSV is made from the Parquet, so the model is read once, and
    a value that a dictionary holds once is written as text once. A run that reads less than all
    writes nothing. What is written is remembered, so that `wardhouse reset` can delete it.
#}
{% macro export_to(path) %}
    {% if execute and reads_all() %}
    {% set target_path = in_project(env_var('WARDHOUSE_EXPORT_DIR', 'exports')) ~ '/' ~ path %}
    {% set folder = target_path.rsplit('/', 1)[0] %}
    select wardhouse_make_folder({{ sql_text(folder) }});
    copy (select * from {{ this }}) to {{ sql_text(target_path ~ '.parquet') }}
    (
        format parquet, compression zstd, compression_level 1, dictionary_size_limit 10000,
        use_tmp_file true
    );
    copy (select columns(*)::varchar from read_parquet({{ sql_text(target_path ~ '.parquet') }}))
    to {{ sql_text(target_path ~ '.csv') }} (format csv, header true, use_tmp_file true);
    insert into landing.exports
    select unnest([{{ sql_text(target_path ~ '.parquet') }}, {{ sql_text(target_path ~ '.csv') }}]) as path
    except
    select path from landing.exports
    {% endif %}
{% endmacro %}


{# A path that is not absolute begins in the project's folder, wherever dbt was started. #}
{% macro in_project(path) %}
    {{ return(path if path.startswith('/') else invocation_args_dict.project_dir ~ '/' ~ path) }}
{% endmacro %}
