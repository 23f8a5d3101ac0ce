{#
    Writes the model as CSV and Parquet below the export directory. Both get temporary names, and
    take their own together when both are whole. The CSV is made from the Parquet, so the model is
    read once, and a value that a dictionary holds once is written as text once.
#}
{% macro export_to(path) %}
    {% if execute %}
        {% set target_path = env_var('WARDHOUSE_EXPORT_DIR', 'exports') ~ '/' ~ path %}
        {% set folder, name = target_path.rsplit('/', 1) %}
        {% set partial = folder ~ '/.' ~ name %}
        {% do export_step('begin', target_path) %}
        {% call statement('export', auto_begin=false) %}
            copy (select * from {{ this }}) to {{ sql_text(partial ~ '.parquet.partial') }}
            (
                format parquet, compression zstd, compression_level 1,
                dictionary_size_limit 10000, use_tmp_file false
            );
            copy (
                select columns(*)::varchar
                from read_parquet({{ sql_text(file_pattern(partial ~ '.parquet.partial')) }})
            )
            to {{ sql_text(partial ~ '.csv.partial') }}
            (format csv, header true, use_tmp_file false)
        {% endcall %}
        {% do export_step('finish', target_path) %}
    {% endif %}
{% endmacro %}


{# Looks whether both files can be written, or lets them take their names. #}
{% macro export_step(step, target_path) %}
    {% set error = run_query(
        'select wardhouse_export(' ~ sql_text(step) ~ ', ' ~ sql_text(target_path) ~ ')'
    ).rows[0][0] %}
    {% if error %}
        {{ exceptions.raise_compiler_error(error) }}
    {% endif %}
{% endmacro %}


{# A path as DuckDB reads it: one file, whatever stands in the names of its folders. #}
{% macro file_pattern(path) %}
    {{- return(path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]')) -}}
{% endmacro %}
