{# The records of a feed to read now: all, or in an increment those of its new and changed files. #}
{% macro landed(area, feed) %}
    {%- if not is_increment() -%}
        {{ source(area, feed) }}
    {%- else -%}
        {%- set files = run_query(new_files([area, feed])).columns[0].values() if reads_all() else [] -%}
        (
            select * from landing.fresh_{{ area }}__{{ feed }}
            where {% if files %}source_file in (
                {%- for file in files %}{{ sql_text(file) }}{{ ', ' if not loop.last }}{% endfor -%}
            ){% else %}false{% endif %}
        )
    {%- endif -%}
{% endmacro %}


{# The files of a feed to read: new ones, and those that are not what they were. #}
{% macro new_files(feed) %}
    select source_file
    from landing.new_files
    anti join landing.landed_files using (area, feed, source_file, fingerprint)
    where {{ is_of_feed(feed) }}
    order by source_file
{% endmacro %}


{# The files of a feed whose records no longer hold: they are gone, or not what they were. #}
{% macro gone_files(feed) %}
    select source_file
    from landing.landed_files
    semi join landing.gone_files using (area, feed, source_file, fingerprint)
    where {{ is_of_feed(feed) }}
{% endmacro %}


{% macro is_of_feed(feed) -%}
    area = '{{ feed[0] }}' and feed = '{{ feed[1] }}'
{%- endmacro %}


{# Whether files of a feed came or went, whether any stays, and whether they are read as before. #}
{% macro feed_state(feed) %}
    {% set row = run_query("
        select
            exists (" ~ new_files(feed) ~ ") or exists (" ~ gone_files(feed) ~ "),
            exists (
                select 1 from landing.landed_files
                anti join landing.gone_files using (area, feed, source_file, fingerprint)
                where " ~ is_of_feed(feed) ~ "
            ),
            " ~ is_built_alike() ~ "
    ").rows[0] %}
    {{ return({'has_changed': row[0], 'has_kept_files': row[1], 'is_built_alike': row[2]}) }}
{% endmacro %}


{# Before all of a feed is read: whatever it held is new again. #}
{% macro forget_files(feed) %}
    insert into landing.new_files by name
    select landed_files.* exclude (n_records, landed_at)
    from landing.landed_files
    anti join landing.gone_files using (area, feed, source_file, fingerprint)
    where {{ is_of_feed(feed) }};
    delete from landing.landed_files where {{ is_of_feed(feed) }};
    delete from landing.unreadable_records where {{ is_of_feed(feed) }};
{% endmacro %}


{#
    After files were read: stop where one is not what was scanned, for nobody knows which of its
    bytes were read. The load is rolled back, and the next build reads the file again.
#}
{% macro refuse_changed_files(feed) %}
    {% set changed = run_query("
        with scanned as (
            select
                source_file, stat, survey ->> 'content_hash' as content_hash,
                unnest([source_file] || json_extract_string(survey, '$.batches[*][0]')) as landed_file
            from landing.surveys
            where " ~ is_of_feed(feed) ~ "
        ),

        was_read as (
            select distinct source_file, stat, content_hash
            from scanned
            where landed_file in (" ~ new_files(feed) ~ ")
        )

        select unnest(from_json(
            wardhouse_changed_files(
                (select raw_dir from landing.warehouse_state),
                (select coalesce(to_json(list(was_read)), '[]')::varchar from was_read)
            ),
            '[\"varchar\"]'
        ))
    ").columns[0].values() %}
    {% if changed %}
        {{ exceptions.raise_compiler_error(
            changed | join(', ') ~ ' changed while the build read it: nothing of this load is kept, '
            ~ 'the next build reads it again (write files under another name, then rename them)'
        ) }}
    {% endif %}
{% endmacro %}


{#
    After a load: forget files that are gone, and remember those just read, with what could not be
    read in them and the number of their records, read and refused. What the CSV reader refused it
    leaves in temporary tables, a line with several faults once for each.
#}
{% macro record_files(feed, loaded) %}
    {% set has_rejects = run_query(
        "select count(*) from duckdb_tables() where table_name = 'landing_rejects' and temporary"
    ).rows[0][0] %}
    delete from landing.unreadable_records
    where {{ is_of_feed(feed) }} and source_file in ({{ gone_files(feed) }});
    delete from landing.landed_files
    where {{ is_of_feed(feed) }} and source_file in ({{ gone_files(feed) }});
    -- Their text is read now and kept here alone, so that a purge finds it.
    insert into landing.unreadable_records by name
    select
        current_unreadable.area, current_unreadable.feed, current_unreadable.source_file,
        current_unreadable.line, current_unreadable.error,
        wardhouse_beginning_of(warehouse_state.raw_dir, current_unreadable.source_file) as record_text
    from landing.current_unreadable
    cross join landing.warehouse_state
    where {{ is_of_feed(feed) }} and source_file in ({{ new_files(feed) }});
    {% if has_rejects %}
    insert into landing.unreadable_records by name
    select
        '{{ feed[0] }}' as area,
        '{{ feed[1] }}' as feed,
        substr(landing_rejects_scan.file_path, length(warehouse_state.raw_dir) + 2) as source_file,
        landing_rejects.line,
        lower(landing_rejects.error_type::varchar) as error,
        landing_rejects.csv_line as record_text
    from landing_rejects
    inner join landing_rejects_scan using (scan_id, file_id)
    cross join landing.warehouse_state
    qualify row_number() over (
        partition by landing_rejects_scan.file_path, landing_rejects.line_byte_position
        order by landing_rejects.error_type::varchar
    ) = 1;
    {{ drop_rejects() }}
    {% endif %}
    insert into landing.landed_files by name
    with counted as (
        select source_file, count(*) as n_records
        from (
            select source_file from {{ loaded }}
            union all
            select source_file from landing.unreadable_records where {{ is_of_feed(feed) }}
        ) as records
        group by source_file
    )

    select
        new_files.*,
        coalesce(counted.n_records, 0) as n_records,
        current_timestamp::timestamp as landed_at
    from landing.new_files
    left join counted using (source_file)
    where {{ is_of_feed(feed) }} and source_file in ({{ new_files(feed) }});
    delete from landing.new_files where {{ is_of_feed(feed) }};
    delete from landing.gone_files where {{ is_of_feed(feed) }};
{% endmacro %}


{% macro drop_rejects() %}
    drop table if exists landing_rejects;
    drop table if exists landing_rejects_scan;
{% endmacro %}
