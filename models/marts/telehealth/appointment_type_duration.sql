-- Durations are those of visits that took place.
with appointments as (
    select * from {{ ref('fct_appointments') }}
),

visits as (
    select
        appointment_type,
        count(distinct patient_key) as n_patients,
        count(*) as n_appointments,
        count(*) filter (is_completed) as n_completed,
        count(duration_minutes) filter (is_completed) as n_duration_known,
        avg(duration_minutes) filter (is_completed) as mean_duration_minutes,
        stddev_samp(duration_minutes) filter (is_completed) as duration_deviation,
        quantile_cont(duration_minutes, [0.1, 0.5, 0.9]) filter (is_completed) as quantiles
    from appointments
    group by appointment_type
),

final as (
    select
        appointment_type,
        n_patients,
        n_appointments,
        n_completed,
        {{ rate_with_interval('n_completed', 'n_appointments', 'completion_rate') }},
        n_duration_known,
        {{ round_half_up('mean_duration_minutes', 2) }} as avg_duration_minutes,
        {{ round_half_up('duration_deviation / sqrt(n_duration_known)', 4) }}
            as duration_standard_error,
        {{ round_half_up('quantiles[1]', 2) }} as tenth_percentile_duration_minutes,
        {{ round_half_up('quantiles[2]', 2) }} as median_duration_minutes,
        {{ round_half_up('quantiles[3]', 2) }} as ninetieth_percentile_duration_minutes
    from visits
)

select * from final
order by avg_duration_minutes desc nulls last, appointment_type asc
