{#
    Marks duplicates and conflicts over the whole feed, so that the outcome does not depend on the
    order in which files came. Only groups of records that a load touched are looked at, in a full
    load those of more than one record. Leaves what it changed in `deduplicated`.

    touched  query of the hashes of the groups that an increment touched
#}
{% macro deduplicate(touched=none) %}
    {% set key = config.get('key', []) %}
    {% set group = (key or ['record_hash']) | join(', ') %}
    {% set identified_by = config.get('identified_by', key) %}
    {% set conflict = 'conflicting_' ~ key | join('_and_') %}
    {% set last_wins = config.get('on_conflict') == 'last' %}
    {% set last_first = 'desc' if last_wins else 'asc' %}
    {% set is_valid %}
        (rejection_reason is null or rejection_reason = '{{ conflict }}')
    {% endset %}
    {% set is_candidate %}
        {{ is_valid }}
        and coalesce({{ identified_by | join('::varchar, ') }}::varchar) is not null
    {% endset %}
    {% set repeated %}
        select key_hash from {{ this }}
        where {{ is_candidate }}
        group by key_hash
        having count(*) > 1
    {% endset %}
    create or replace temporary table deduplicated as
    -- Not materialized, the condition would be asked of the whole feed after all.
    with candidates as materialized (
        select
            rowid as record_rowid, {{ config.get('newest_by', 'null') }} as version_at,
            source_file, rejection_reason, is_duplicate,
            {{ (record_columns() + key) | unique | join(', ') }}
        from {{ this }}
        where rowid in (
            -- Rejected records, of which those without any field share a hash, are no candidates.
            select rowid from {{ this }}
            where key_hash in ({{ touched or repeated }}) and {{ is_valid }}
        ) and {{ is_candidate }}
    ),

    versions as (
        select
            *,
            version_at is not distinct from max(version_at) over (partition by {{ group }})
                as is_latest
        from candidates
    ),

    compared as (
        select
            *,
            {% if last_wins or not key %}
            false as is_conflict,
            {% else %}
            -- Without newest_by all records of a group are equally new.
            min(record_hash) filter (is_latest) over (partition by {{ group }})
            <> max(record_hash) filter (is_latest) over (partition by {{ group }}) as is_conflict,
            {% endif %}
            row_number() over (
                partition by {{ group }}
                order by version_at desc nulls last, source_file {{ last_first }},
                    record_rowid {{ last_first }}
            ) as place
        from versions
    )

    select *, not is_conflict and place > 1 as is_repeated
    from compared
    where is_conflict <> (rejection_reason is not null) or is_repeated <> is_duplicate;
    update {{ this }}
    set
        is_duplicate = deduplicated.is_repeated,
        rejection_reason = case when deduplicated.is_conflict then '{{ conflict }}' end,
        rejected_record = case when deduplicated.is_conflict then to_json({
            {% set unset = {'rejection_reason': 'null', 'is_duplicate': 'false', 'rejected_record': 'null'} %}
            {%- for column in model.columns if column != 'key_hash' %}
            {{ column }}: {{ unset.get(column, this.identifier ~ '.' ~ column) }}{{ ',' if not loop.last }}
            {%- endfor %}
        })::varchar end
    from deduplicated
    where {{ this.identifier }}.rowid = deduplicated.record_rowid;
{% endmacro %}


{# What a load remembers of a record: the hash of its group, and what consumers find it by. #}
{% macro record_columns() %}
    {% set columns = ['key_hash', 'record_hash'] %}
    {% for each in config.get('publishes', []) %}
        {% do columns.extend(each.key + ([each.day] if each.day else [])) %}
    {% endfor %}
    {{ return(columns | unique | list) }}
{% endmacro %}
