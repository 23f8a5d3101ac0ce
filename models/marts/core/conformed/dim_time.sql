with minutes as (
    select unnest(generate_series(0, 1439))::integer as minute_of_day
),

final as (
    select
        minute_of_day,
        make_time(minute_of_day // 60, minute_of_day % 60, 0) as time_of_day,
        (minute_of_day // 60)::integer as hour_of_day,
        (minute_of_day % 60)::integer as minute_of_hour,
        case
            when minute_of_day < 6 * 60 then 'Night'
            when minute_of_day < 12 * 60 then 'Morning'
            when minute_of_day < 18 * 60 then 'Afternoon'
            else 'Evening'
        end as day_part
    from minutes
)

select * from final
