{#
    Opens every base model: read each landed file once, keep every record, judge it.

    key          columns that identify a record; two accepted records with one key and different
                 content are settled by on_conflict
    on_conflict  'last'   the last by file and line stands, the others are duplicates (master data)
                 'newest' the newest by the column newest_by stands (events that are told again)
                 'reject' none can be told newest, all go to quarantine (events)
    newest_by    a column; where two contents are equally new, all go to quarantine
    identified_by  a record in which all of these are null is never a duplicate
    follow_by    the column, or expression, by which incremental models follow what changes here
    found_by     a column that holds hash() of the key: in a long feed a text takes longer to find
    moment       a moment whose day all records of one value of follow_by have
#}
{% macro base_model(
    key=[], on_conflict='reject', identified_by=[], newest_by='', follow_by='record_hash',
    found_by='', moment=''
) %}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ forget_stale_records() }}",
        post_hook="{{ settle_load() }}",
        meta={
            'key': key, 'on_conflict': on_conflict, 'identified_by': identified_by or key,
            'newest_by': newest_by, 'follow_by': follow_by, 'found_by': found_by,
            'moment': moment,
        },
    ) }}
{% endmacro %}


{# The records to read now: all of a feed, or in an incremental run those of its stale files. #}
{% macro landed(area, feed) %}
    {%- set view = source(area, feed) -%}
    {%- if is_incremental() -%}
        {%- set stale = run_query(stale_files(area, feed)).columns[0].values() -%}
        (
            select * from landing.fresh_{{ area }}__{{ feed }}
            where {% if stale %}source_file in (
                {%- for file in stale %}{{ sql_text(file) }}{{ ', ' if not loop.last }}{% endfor -%}
            ){% else %}false{% endif %}
        )
    {%- else -%}
        {{ view }}
    {%- endif -%}
{% endmacro %}


{# The files of a feed to read: new ones, and those that are not what they were. #}
{% macro stale_files(area, feed) %}
    select source_file
    from landing.new_files
    anti join landing.landed_files using (area, feed, source_file, fingerprint)
    where area = '{{ area }}' and feed = '{{ feed }}'
    order by source_file
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
