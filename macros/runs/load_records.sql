{# The area and feed of a base model, from its only source. #}
{% macro feed_of(node) %}
    {% set area, feed = node.sources[0] if execute else ('', '') %}
    {{ return({'area': area, 'feed': feed}) }}
{% endmacro %}


{# What tells the records of a base model apart: its key, or all that a record says. #}
{% macro record_group(meta) -%}
    {{- (meta.key or ['record_hash']) | join(', ') -}}
{%- endmacro %}


{# The files of a feed whose records no longer hold: they are gone, or not what they were. #}
{% macro gone_files(feed) %}
    select source_file
    from landing.landed_files
    semi join landing.gone_files using (area, feed, source_file, fingerprint)
    where area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
{% endmacro %}


{#
    What this load does to a base model: `complete` where it is made anew, `partial` where files
    came or went, `none` where all is as it was.
#}
{% macro load_scope(feed) %}
    {% if not execute %}{{ return('none') }}{% endif %}
    {{ return(run_query("
        select
            case
                when exists (
                    select 1 from duckdb_tables()
                    where temporary and table_name = 'complete_" ~ model.name ~ "'
                ) then 'complete'
                when exists (" ~ stale_files(feed.area, feed.feed) ~ ")
                    or exists (" ~ gone_files(feed) ~ ") then 'partial'
                else 'none'
            end
    ").rows[0][0]) }}
{% endmacro %}


{# Before a load. Drops what came of files that are gone, and notes whom that touches. #}
{% macro forget_stale_records() %}
    {% set feed = feed_of(model) %}
    {% set meta = model.config.meta %}
    drop table if exists landing_rejects; drop table if exists landing_rejects_scan;
    {% if not is_incremental() %}
        create or replace temporary table complete_{{ model.name }} as select true as is_complete;
        -- Whatever it held is read once more.
        insert into landing.new_files by name
        select landed_files.* exclude (n_records, landed_at)
        from landing.landed_files
        anti join landing.gone_files using (area, feed, source_file, fingerprint)
        where area = '{{ feed.area }}' and feed = '{{ feed.feed }}';
        delete from landing.landed_files
        where area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
    {% elif load_scope(feed) == 'partial' %}
        create or replace temporary table forgotten_records as
        select
            {{ record_group(meta) }}, {{ meta.follow_by }} as changed_key,
            {{ day_of(meta.moment) }} as changed_day
        from {{ this }}
        where source_file in ({{ gone_files(feed) }});
        {{ remember_last_row() }};
        delete from {{ this }}
        where source_file in ({{ gone_files(feed) }})
    {% endif %}
{% endmacro %}


{# After a load: all that follows from what it read. One hook, for dbt prepares each by itself. #}
{% macro settle_load() %}
    {% set feed = feed_of(model) %}
    {% set scope = load_scope(feed) %}
    {% if scope != 'none' %}
        {% do refuse_changed_files(feed) %}
        {{ keep_unreadable_records(feed, scope) }}
        {{ settle_duplicates(scope) }}
        {{ publish_records(scope) }}
        {{ mark_files_landed(feed, scope) }}
    {% endif %}
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
            where area = '" ~ feed.area ~ "' and feed = '" ~ feed.feed ~ "'
        ),

        was_read as (
            select distinct source_file, stat, content_hash
            from scanned
            where landed_file in (" ~ stale_files(feed.area, feed.feed) ~ ")
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


{# Keep what the reader refused in the files just read, and drop what came of files now gone. #}
{% macro keep_unreadable_records(feed, scope) %}
    {% set has_rejects = run_query(
        "select count(*) from duckdb_tables() where table_name = 'landing_rejects' and temporary"
    ).rows[0][0] %}
    delete from landing.unreadable_records
    where
        area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
        {% if scope == 'partial' %}and source_file in ({{ gone_files(feed) }}){% endif %}
    ;
    insert into landing.unreadable_records by name
    select current_unreadable.*
    from landing.current_unreadable
    where
        area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
        and source_file in ({{ stale_files(feed.area, feed.feed) }})
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


{#
    Settle duplicates and conflicts over the whole feed, so that the outcome does not depend on
    the order in which files came. Only groups that a load touches are looked at, and of them
    closely those with more than one record.
#}
{% macro settle_duplicates(scope) %}
    {% set meta = model.config.meta %}
    {% set conflict = "conflicting_" ~ meta.key | join('_and_') %}
    {% set group = record_group(meta) %}
    {% set told_at = meta.newest_by or 'null' %}
    {% set candidates %}
        (rejection_reason is null or rejection_reason = '{{ conflict }}')
        {% if meta.identified_by %}and coalesce({{ meta.identified_by | join('::varchar, ') }}::varchar) is not null{% endif %}
    {% endset %}
    {% set is_partial = scope == 'partial' %}
    {% if is_partial %}
        -- What was refused for good is nobody's duplicate; all that names nothing is one group.
        create or replace temporary table touched_groups as
        select {{ group }} from forgotten_records
        union
        select {{ group }} from {{ this }}
        where {{ is_just_loaded() }} and {{ candidates }};
        -- The one look at the whole feed: the rest knows its records by their row.
        create or replace temporary table touched_records as
        -- Not materialized, the text would be looked for in the whole feed after all.
        with found as materialized (
            select
                {{ this.identifier }}.rowid as record_rowid, {{ group }}, source_file, record_hash,
                {{ told_at }} as told_at, rejection_reason, is_duplicate,
                {{ meta.follow_by }} as changed_key, {{ day_of(meta.moment) }} as changed_day,
                {{ candidates }} as is_candidate
            from {{ this }}
            {% if meta.found_by %}
            where {{ this.identifier }}.rowid in (
                select rowid from {{ this }}
                where {{ meta.found_by }} in (select hash({{ group }}) from touched_groups)
            )
            {% else %}
            semi join touched_groups using ({{ group }})
            {% endif %}
        )

        select found.*
        from found
        semi join touched_groups using ({{ group }})
        where is_candidate;
        update {{ this }}
        set
            is_duplicate = false,
            rejected_record = case when rejection_reason <> '{{ conflict }}' then rejected_record end,
            rejection_reason = nullif(rejection_reason, '{{ conflict }}')
        where {{ this.identifier }}.rowid in (
            select record_rowid
            from touched_records
            where is_duplicate or rejection_reason = '{{ conflict }}'
        );
    {% endif %}
    create or replace temporary table repeated_records as
    {% if is_partial %}
    select record_rowid, {{ group }}, source_file, record_hash, told_at
    from touched_records
    qualify count(*) over (partition by {{ group }}) > 1;
    {% else %}
    select
        {{ this.identifier }}.rowid as record_rowid, {{ group }}, source_file, record_hash,
        {{ told_at }} as told_at
    from {{ this }}
    inner join (
        select {{ group }}
        from {{ this }}
        where {{ candidates }}
        group by {{ group }}
        having count(*) > 1
    ) as repeated using ({{ group }})
    where {{ candidates }};
    {% endif %}
    {% if meta.key and meta.on_conflict != 'last' %}
        -- Without newest_by all records of a group are equally new.
        update {{ this }}
        set
            rejection_reason = '{{ conflict }}',
            rejected_record = to_json({{ this.identifier }})::varchar
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
                order by told_at desc nulls last, source_file {{ 'desc' if meta.on_conflict == 'last' }},
                    record_rowid {{ 'desc' if meta.on_conflict == 'last' }}
            ) > 1
        );
    drop table repeated_records;
{% endmacro %}


{# After a load. Tells followers which records are new, gone or settled otherwise than before. #}
{% macro publish_records(scope) %}
    {% set meta = model.config.meta %}
    {% if scope == 'partial' %}
        {# A new record that names nothing is touched by no other; what was refused, nobody follows. #}
        {% set changed %}
            select changed_key, changed_day from forgotten_records
            union
            select changed_key, changed_day from touched_records
            union
            select {{ meta.follow_by }}, {{ day_of(meta.moment) }} from {{ this }}
            where {{ is_just_loaded() }} and rejection_reason is null
        {% endset %}
        {{ publish_changes(meta.follow_by, changed) }};
        drop table forgotten_records; drop table touched_groups; drop table touched_records;
    {% else %}
        {{ publish_changes(meta.follow_by) }};
    {% endif %}
{% endmacro %}


{# Remember the files just read, with the number of records each one held: read and refused. #}
{% macro mark_files_landed(feed, scope) %}
    create or replace temporary table read_files as
    {{ stale_files(feed.area, feed.feed) }};
    delete from landing.landed_files
    where
        area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
        and source_file in ({{ gone_files(feed) }})
    ;
    insert into landing.landed_files by name
    with records as (
        select source_file from {{ this }}{% if scope == 'partial' %} where {{ is_just_loaded() }}{% endif %}

        union all
        select source_file
        from landing.unreadable_records
        where area = '{{ feed.area }}' and feed = '{{ feed.feed }}'
    ),

    counted as (
        select source_file, count(*) as n_records
        from records
        semi join read_files using (source_file)
        group by source_file
    )

    select
        new_files.*,
        coalesce(counted.n_records, 0) as n_records,
        current_timestamp::timestamp as landed_at
    from landing.new_files
    inner join read_files using (source_file)
    left join counted using (source_file)
    where area = '{{ feed.area }}' and feed = '{{ feed.feed }}';
    delete from landing.new_files where area = '{{ feed.area }}' and feed = '{{ feed.feed }}';
    delete from landing.gone_files where area = '{{ feed.area }}' and feed = '{{ feed.feed }}';
    drop table read_files; drop table if exists rows_before;
    drop table if exists complete_{{ model.name }};
{% endmacro %}
