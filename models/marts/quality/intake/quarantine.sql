-- Everything that was refused, with its reason: records that broke a rule, and lines or documents
-- that could not be read at all.
with rejected as (
    {% for area, feed in of_all_areas('feeds') %}
    select
        '{{ area }}' as area,
        '{{ feed }}' as feed,
        source_file,
        null::bigint as line_number,
        rejection_reason as reason,
        rejected_record as record
    from {{ ref('base_' ~ area ~ '__' ~ feed) }}
    where rejection_reason is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

unreadable as (
    select
        area,
        feed,
        source_file,
        line as line_number,
        error as reason,
        if(record_text is null, null, to_json({ unreadable_text: record_text }))::varchar as record
    from {{ source('landing', 'unreadable_records') }}
),

final as (
    select *, '{{ invocation_id }}' as run_id from rejected
    union all
    select *, '{{ invocation_id }}' as run_id from unreadable
)

select * from final
order by area, feed, source_file, line_number, reason, record
