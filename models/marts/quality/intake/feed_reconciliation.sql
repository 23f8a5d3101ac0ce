-- n_raw was counted when each file landed; the other counts are of what is there now.
with files as (
    select
        area,
        feed,
        count(*) as n_files,
        sum(n_records)::bigint as n_raw
    from {{ source('landing', 'landed_files') }}
    group by area, feed
),

records as (
    {% for area, feed in of_all_areas('feeds') %}
    select
        '{{ area }}' as area,
        '{{ feed }}' as feed,
        count(*) filter (rejection_reason is null and not is_duplicate) as n_accepted,
        count(*) filter (rejection_reason is not null) as n_rejected,
        count(*) filter (rejection_reason is null and is_duplicate) as n_duplicates,
        count(*) filter (rejection_reason is null and not is_duplicate and len(repairs) > 0)
            as n_repaired
    from {{ ref('base_' ~ area ~ '__' ~ feed) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

unreadable as (
    select
        area,
        feed,
        count(*) as n_unreadable
    from {{ source('landing', 'unreadable_records') }}
    group by area, feed
),

final as (
    select
        records.area,
        records.feed,
        coalesce(files.n_files, 0) as n_files,
        coalesce(files.n_raw, 0) as n_raw,
        records.n_accepted,
        records.n_rejected + coalesce(unreadable.n_unreadable, 0) as n_rejected,
        records.n_duplicates,
        records.n_repaired
    from records
    -- One row per feed on either side.
    left join files on records.area = files.area and records.feed = files.feed
    left join unreadable on records.area = unreadable.area and records.feed = unreadable.feed
)

select * from final
order by area, feed
