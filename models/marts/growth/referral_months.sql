-- Each provider's encounters in each month, and those it is held against: the same month a year
-- before where the data reach back to it, else up to twelve months before.
{{ config(materialized='view') }}

with history as (
    select * from {{ ref('growth_history') }}
),

months as (
    select
        dim_date.month_start_date,
        count(*) as n_days,
        min(dim_date.date_day) = dim_date.month_start_date as is_whole
    from {{ ref('dim_date') }} as dim_date
    cross join history
    where dim_date.date_day between history.first_date and history.last_date
    group by dim_date.month_start_date
),

counted as (
    select
        provider_key,
        date_trunc('month', admission_date)::date as month_start_date,
        count(*) as n_encounters
    from {{ ref('fct_encounters') }}
    where provider_id is not null
    group by all
),

filled as (
    select
        providers.provider_key,
        months.month_start_date,
        months.n_days,
        months.is_whole,
        coalesce(counted.n_encounters, 0) as n_encounters
    from (select distinct provider_key from counted) as providers
    cross join months
    -- A provider and month is in counted once.
    left join counted
        on
            providers.provider_key = counted.provider_key
            and months.month_start_date = counted.month_start_date
),

earlier as (
    select
        *,
        sum(n_encounters) over year_before as n_year_before,
        sum(n_days) over year_before as n_days_year_before,
        coalesce(bool_and(is_whole) over year_before, false) as has_year_before,
        sum(n_encounters) over months_before as n_months_before,
        sum(n_days) over months_before as n_days_months_before
    from filled
    window
        year_before as (
            partition by provider_key order by month_start_date
            range between interval 12 month preceding and interval 12 month preceding
        ),
        months_before as (
            partition by provider_key order by month_start_date
            range between interval 12 month preceding and interval 1 month preceding
        )
)

select
    * exclude (n_year_before, n_days_year_before, n_months_before, n_days_months_before),
    if(has_year_before, n_year_before, n_months_before)::bigint as n_before,
    if(has_year_before, n_days_year_before, n_days_months_before)::bigint as n_days_before
from earlier
