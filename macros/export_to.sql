{#
    Writes the model as CSV and Parquet below the export directory. Each file gets a temporary name
    and is renamed when it is whole. The CSV is made from the Parquet, so the model is read once, and
    a value that a dictionary holds once is written as text once.

    A spreadsheet runs a cell that begins with = + - or @ as a formula: texts that do get an apostrophe
    in front in CSV, as spreadsheets themselves mark text. Numbers stay numbers, Parquet is as it is.
#}
{% macro export_to(path) %}
    {% set target_path = env_var('WARDHOUSE_EXPORT_DIR', 'exports') ~ '/' ~ path %}
    {% set folder = target_path.rsplit('/', 1)[0] %}
    select wardhouse_make_folder({{ sql_text(folder) }});
    copy (select * from {{ this }}) to {{ sql_text(target_path ~ '.parquet') }}
    (
        format parquet, compression zstd, compression_level 1, dictionary_size_limit 10000,
        use_tmp_file true
    );
    copy (
        select {% for column in adapter.get_columns_in_relation(this) %}
            {%- if column.is_string() %}{{ as_no_formula(adapter.quote(column.name)) }}
            {%- else %}{{ adapter.quote(column.name) }}::varchar as {{ adapter.quote(column.name) }}
            {%- endif %}{{ ', ' if not loop.last }}
        {%- endfor %}
        from read_parquet({{ sql_text(target_path ~ '.parquet') }})
    )
    to {{ sql_text(target_path ~ '.csv') }} (format csv, header true, use_tmp_file true)
{% endmacro %}


{% macro as_no_formula(column) -%}
    case when left({{ column }}, 1) in ('=', '+', '-', '@') then chr(39) || {{ column }} else {{ column }} end as {{ column }}
{%- endmacro %}
