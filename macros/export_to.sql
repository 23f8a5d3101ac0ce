{#
    Writes the model as CSV and Parquet below the export directory. Both get temporary names, and
    take their own together when both are whole. The CSV is made from the Parquet, so the model is
    read once, and a value that a dictionary holds once is written as text once. A run that reads
    less than all writes nothing, and one without the feed that an export needs says so in the log.
    What is written is remembered, so that `wardhouse reset` can delete it.

    A spreadsheet runs a cell that begins with = + - or @ as a formula: texts that do get an apostrophe
    in front in CSV, as spreadsheets themselves mark text. Numbers stay numbers, Parquet is as it is.
#}
{% macro export_to(path, needs_feed=none) %}
    {% if execute and reads_all() and (needs_feed is none or has_feed_for(area_of(model), needs_feed, path)) %}
        {% set target_path = in_project(env_var('WARDHOUSE_EXPORT_DIR', 'exports')) ~ '/' ~ path %}
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
                select {% for column in adapter.get_columns_in_relation(this) %}
                    {%- if column.is_string() %}{{ as_no_formula(adapter.quote(column.name)) }}
                    {%- else %}{{ adapter.quote(column.name) }}::varchar as {{ adapter.quote(column.name) }}
                    {%- endif %}{{ ', ' if not loop.last }}
                {%- endfor %}
                from read_parquet({{ sql_text(file_pattern(partial ~ '.parquet.partial')) }})
            )
            to {{ sql_text(partial ~ '.csv.partial') }}
            (format csv, header true, use_tmp_file false)
        {% endcall %}
        {% do export_step('finish', target_path) %}
        {% call statement('remember_export', auto_begin=false) %}
            insert into landing.exports
            select unnest([
                {{ sql_text(target_path ~ '.parquet') }}, {{ sql_text(target_path ~ '.csv') }}
            ]) as path
            except
            select path from landing.exports
        {% endcall %}
    {% endif %}
{% endmacro %}


{# Whether a feed has any file; of an area that has others the log says what is not exported without. #}
{% macro has_feed_for(area, feed, path) %}
    {% set n_of_feed, n_of_area = run_query(
        'select count(*) filter (feed = ' ~ sql_text(feed) ~ '), count(*) from landing.landed_files where area = '
        ~ sql_text(area)
    ).rows[0] %}
    {% if n_of_area > 0 and n_of_feed == 0 %}
        {% do log('Not exported: ' ~ path ~ ', because no file of ' ~ area ~ '.' ~ feed ~ ' is there.', info=true) %}
    {% endif %}
    {{ return(n_of_feed > 0) }}
{% endmacro %}


{# A path that is not absolute begins in the project's folder, wherever dbt was started. #}
{% macro in_project(path) %}
    {{ return(path if path.startswith('/') else invocation_args_dict.project_dir ~ '/' ~ path) }}
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


{# A path as DuckDB reads it: one file, whatever the names of its folders hold. #}
{% macro file_pattern(path) %}
    {{- return(path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]')) -}}
{% endmacro %}


{% macro as_no_formula(column) -%}
    case when left({{ column }}, 1) in ('=', '+', '-', '@') then chr(39) || {{ column }} else {{ column }} end as {{ column }}
{%- endmacro %}
