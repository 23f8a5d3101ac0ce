-- Is the size of a table, or the null share of a column, unlike its own history? By the modified z
-- score of Iglewicz and Hoaglin (1993): distance from the median of earlier builds over 1.4826
-- times their median absolute deviation. A history without spread would make every change an
-- anomaly, so the spread is at least 1 % of the median size, or one percentage point. Builds of
-- another raw directory or of other areas are no history.
{{ config(materialized='view') }}

with newest_build as (
    select * from {{ ref('builds') }}
    where started_at <= {{ as_of() }}
    order by started_at desc, build_id desc
    limit 1
),

counts as (
    select
        row_counts.*,
        row_number() over (
            partition by row_counts.relation_name, row_counts.column_name
            order by row_counts.build_started_at desc, row_counts.build_id desc
        ) as nth_newest
    from {{ ref('row_counts') }} as row_counts
    inner join newest_build
        on
            row_counts.raw_dir = newest_build.raw_dir
            and row_counts.areas = newest_build.areas
            and row_counts.build_started_at <= newest_build.started_at
    where row_counts.value is not null
),

earlier as (
    select
        relation_name,
        column_name,
        count(*) as n_earlier_builds,
        median(value) as median_value,
        greatest(
            1.4826 * mad(value),
            case when column_name is null then greatest(0.01 * median(value), 1) else 0.01 end
        ) as robust_deviation
    from counts
    where nth_newest between 2 and {{ var('anomaly_maximum_builds') }} + 1
    group by relation_name, column_name
),

final as (
    select
        counts.area,
        counts.relation_name,
        counts.column_name,
        counts.build_id,
        counts.build_started_at,
        counts.n_rows,
        counts.value,
        coalesce(earlier.n_earlier_builds, 0) as n_earlier_builds,
        earlier.median_value,
        case
            when earlier.n_earlier_builds >= {{ var('anomaly_minimum_builds') }}
                then round((counts.value - earlier.median_value) / earlier.robust_deviation, 6)
        end as robust_z
    from counts
    -- One row per table and column on the right.
    left join earlier
        on
            counts.relation_name = earlier.relation_name
            and counts.column_name is not distinct from earlier.column_name
    where counts.nth_newest = 1
)

select * from final
