{#
    Opens every base model: read each landed file once, keep every record, judge it.

    key          columns that identify a record; two accepted records with one key and different
                 content are settled by on_conflict
    on_conflict  'last'   the last by file and line stands, the others are duplicates (master data)
                 'newest' the newest by the column newest_by stands (events that are told again)
                 'reject' none can be told newest, all go to quarantine (events)
    newest_by    a column; where two contents are equally new, all go to quarantine
    identified_by  a record in which all of these are null is never a duplicate
#}
{% macro base_model(key=[], on_conflict='reject', identified_by=[], newest_by='') %}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook=["{{ forget_stale_records() }}"],
        post_hook=["{{ keep_unreadable_records() }}", "{{ settle_duplicates("
            ~ tojson(key) ~ ", '" ~ on_conflict ~ "', " ~ tojson(identified_by or key) ~ ", '"
            ~ newest_by ~ "') }}",
            "{{ mark_files_landed() }}"],
        meta={'key': key, 'on_conflict': on_conflict},
    ) }}
{% endmacro %}


{# The records to read now: all of a feed, or in an incremental run those of its stale files. #}
{% macro landed(area, feed) %}
    {%- set view = source(area, feed) -%}
    {%- if is_incremental() -%}
        {%- set stale = run_query(stale_files(area, feed)).columns[0].values() -%}
        (
            select * from {{ view }}
            where {% if stale %}source_file in (
                {%- for file in stale %}{{ sql_text(file) }}{{ ', ' if not loop.last }}{% endfor -%}
            ){% else %}false{% endif %}
        )
    {%- else -%}
        {{ view }}
    {%- endif -%}
{% endmacro %}


{% macro stale_files(area, feed) %}
    select current_files.source_file
    from landing.current_files
    where
        current_files.area = '{{ area }}' and current_files.feed = '{{ feed }}'
        and not exists (
            select 1 from landing.landed_files
            where
                landed_files.area = current_files.area and landed_files.feed = current_files.feed
                and landed_files.source_file = current_files.source_file
                and landed_files.fingerprint = current_files.fingerprint
        )
    order by current_files.source_file
{% endmacro %}


{# A setting of the feed from feeds.csv, else the project's. #}
{% macro feed_option(area, feed, option, default) %}
    {% if execute and flags.WHICH != 'parse' %}
        {% set found = run_query(
            "select value from landing.feed_options where area = '" ~ area ~ "' and feed = '"
            ~ feed ~ "' and option = '" ~ option ~ "'"
        ) %}
        {{ return(found.rows[0][0] if found.rows | length else default) }}
    {% endif %}
    {{ return(default) }}
{% endmacro %}


{# The area and feed of a base model, from its only source. #}
{% macro feed_of(node) %}
    {% set area, feed = node.sources[0] if execute else ('', '') %}
    {{ return({'area': area, 'feed': feed}) }}
{% endmacro %}


{# Query of the files of a feed that landed before and are still the same: what came of them stays. #}
{% macro unchanged_files(feed) %}
    select landed_files.source_file
    from landing.landed_files
    inner join landing.current_files using (area, feed, source_file, fingerprint)
    where area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
{% endmacro %}


{% macro forget_stale_records() %}
    {% set feed = feed_of(model) %}
    drop table if exists landing_rejects; drop table if exists landing_rejects_scan;
    {% if is_incremental() %}
        delete from {{ this }}
        where source_file not in ({{ unchanged_files(feed) }})
    {% endif %}
{% endmacro %}


{# Keep what the reader refused in the files just read, and drop what came of files now gone. #}
{% macro keep_unreadable_records() %}
    {% set feed = feed_of(model) %}
    {% set has_rejects = run_query(
        "select count(*) from duckdb_tables() where table_name = 'landing_rejects' and temporary"
    ).rows[0][0] if execute else 0 %}
    delete from landing.unreadable_records
    where
        area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
        {% if is_incremental() %}
            and source_file not in ({{ unchanged_files(feed) }})
        {% endif %}
    ;
    insert into landing.unreadable_records by name
    select current_unreadable.*
    from landing.current_unreadable
    where
        area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
        {% if is_incremental() %}
            and source_file in (select source_file from ({{ stale_files(feed.area, feed.feed) }}))
        {% endif %}
    ;
    {% if has_rejects %}
        -- A line with several faults is listed once for each of them.
        insert into landing.unreadable_records by name
        select
            '{{ feed.area }}' as area,
            '{{ feed.feed }}' as feed,
            substr(landing_rejects_scan.file_path, length(warehouse_state.raw_dir) + 2)
                as source_file,
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
        drop table landing_rejects; drop table landing_rejects_scan;
    {% endif %}
{% endmacro %}


{# Remember the files just read, with the number of records each one held: read and refused. #}
{% macro mark_files_landed() %}
    {% set feed = feed_of(model) %}
    delete from landing.landed_files
    where
        area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
        {% if is_incremental() %}
            and (source_file, fingerprint) not in (
                select (source_file, fingerprint)
                from landing.current_files
                where area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
            )
        {% endif %}
    ;
    insert into landing.landed_files by name
    with stale as (
        {{ stale_files(feed.area, feed.feed) }}
    ),

    records as (
        select source_file from {{ this }}
        union all
        select source_file
        from landing.unreadable_records
        where area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
    ),

    counted as (
        select source_file, count(*) as n_records
        from records
        where source_file in (select source_file from stale)
        group by source_file
    )

    select
        current_files.*,
        coalesce(counted.n_records, 0) as n_records,
        current_timestamp::timestamp as landed_at
    from landing.current_files
    inner join stale using (source_file)
    left join counted using (source_file)
    where area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
{% endmacro %}


{#
    Settle duplicates and conflicts over the whole feed, so that the outcome does not depend on
    the order in which files came. Only groups with more than one record are looked at closely.
#}
{% macro settle_duplicates(key, on_conflict, identified_by, newest_by='') %}
    {% set conflict = "conflicting_" ~ key | join('_and_') %}
    {% set group = key | join(', ') if key else 'record_hash' %}
    {% set candidates %}
        (rejection_reason is null or rejection_reason = '{{ conflict }}')
        {% if identified_by %}and coalesce({{ identified_by | join('::varchar, ') }}::varchar) is not null{% endif %}
    {% endset %}
    update {{ this }}
    set is_duplicate = false, rejection_reason = nullif(rejection_reason, '{{ conflict }}')
    where is_duplicate or rejection_reason = '{{ conflict }}';
    create or replace temporary table repeated_records as
    select
        {{ this.identifier }}.rowid as record_rowid, {{ group }}, source_file, record_hash,
        {{ newest_by or 'null' }} as told_at
    from {{ this }}
    inner join (
        select {{ group }}
        from {{ this }}
        where {{ candidates }}
        group by {{ group }}
        having count(*) > 1
    ) as repeated using ({{ group }})
    where {{ candidates }};
    {% if key and on_conflict != 'last' %}
        -- Without newest_by all records of a group are equally new.
        update {{ this }}
        set rejection_reason = '{{ conflict }}'
        where {{ this.identifier }}.rowid in (
            select record_rowid
            from (
                select
                    *,
                    told_at is not distinct from max(told_at) over (partition by {{ group }})
                        as is_newest
                from repeated_records
            )
            qualify min(record_hash) filter (is_newest) over (partition by {{ group }})
                <> max(record_hash) filter (is_newest) over (partition by {{ group }})
        );
    {% endif %}
    update {{ this }}
    set is_duplicate = true
    where
        rejection_reason is null
        and {{ this.identifier }}.rowid in (
            select record_rowid
            from repeated_records
            qualify row_number() over (
                partition by {{ group }}
                order by told_at desc nulls last, source_file {{ 'desc' if on_conflict == 'last' }},
                    record_rowid {{ 'desc' if on_conflict == 'last' }}
            ) > 1
        );
    drop table repeated_records
{% endmacro %}
