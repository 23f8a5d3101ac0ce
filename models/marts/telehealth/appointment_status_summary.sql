-- Every status has its row, also one that no appointment came to.
with statuses as (
    select * from {{ ref('dim_appointment_status') }}
),

appointments as (
    select * from {{ ref('fct_appointments') }}
),

counted as (
    select
        appointment_status,
        count(distinct patient_key) as n_patients,
        count(*) as n_appointments,
        count(wait_minutes) as n_wait_known,
        avg(wait_minutes) as mean_wait_minutes
    from appointments
    group by appointment_status
),

shares as (
    select
        statuses.appointment_status,
        statuses.is_successful,
        coalesce(counted.n_patients, 0) as n_patients,
        coalesce(counted.n_appointments, 0) as n_appointments,
        sum(coalesce(counted.n_appointments, 0)) over ()::bigint as n_all_appointments,
        coalesce(counted.n_wait_known, 0) as n_wait_known,
        counted.mean_wait_minutes
    from statuses
    -- appointment_status is unique on the right.
    left join counted on statuses.appointment_status = counted.appointment_status
),

final as (
    select
        appointment_status,
        is_successful,
        n_patients,
        n_appointments,
        n_all_appointments,
        {{ rate_with_interval('n_appointments', 'n_all_appointments', 'share') }},
        {{ round_half_up('100 * share', 1) }} as share_percent,
        n_wait_known,
        n_appointments - n_wait_known as n_wait_unknown,
        {{ round_half_up('mean_wait_minutes', 2) }} as avg_wait_minutes
    from shares
)

select * from final
order by n_appointments desc, appointment_status asc
