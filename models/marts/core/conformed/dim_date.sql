-- The calendar decides which dates are possible: staging sets every other date to null.
with days as (
    select unnest(generate_series(
        date '{{ var("calendar_start") }}', date '{{ var("calendar_end") }}', interval 1 day
    ))::date as date_day
),

holidays as (
    select holiday_date, holiday_name
    from {{ ref('public_holidays') }}
    where country = '{{ var("holiday_country") }}'
),

final as (
    select
        days.date_day,
        year(days.date_day)::integer as year_number,
        quarter(days.date_day)::integer as quarter_of_year,
        month(days.date_day)::integer as month_of_year,
        monthname(days.date_day) as month_name,
        date_trunc('month', days.date_day)::date as month_start_date,
        weekofyear(days.date_day)::integer as iso_week_of_year,
        day(days.date_day)::integer as day_of_month,
        isodow(days.date_day)::integer as iso_day_of_week,
        dayname(days.date_day) as day_name,
        isodow(days.date_day) >= 6 as is_weekend,
        holidays.holiday_name is not null as is_public_holiday,
        holidays.holiday_name as public_holiday_name
    from days
    -- At most one row a day: public_holidays is unique by country and date.
    left join holidays on days.date_day = holidays.holiday_date
)

select * from final
