-- Every hour of a department from its first admission to the last thing known to have happened
-- anywhere, hours without events too. Waits count where patients arrive, stays where they leave: an
-- hour, once told, does not change when somebody leaves later. Sums are of decimals, which no order
-- of rows can change. Stays whose admission is not credible take no part.
{% set since = "timestamp '-infinity'" %} {# hours before it are left out #}
{% set flows = [
    ('admissions', 'admitted_at', 'wait_minutes', 'is_admission_credible'),
    ('discharges', 'discharged_at', 'length_of_stay_hours', 'is_stay_credible'),
] %}

with stays as (
    select * from {{ ref('fct_patient_stays') }}
    where is_admission_credible
),

horizon as (
    select
        max(greatest(
            admitted_at,
            -- A discharge that its event announces for later has not happened yet.
            case
                when is_stay_credible and discharged_at <= coalesce(last_event_at, discharged_at)
                    then discharged_at
            end
        )) as last_moment_at
    from stays
),

{% for flow, moment, measure, condition in flows %}
{{ flow }} as (
    select
        department_key,
        date_trunc('hour', {{ moment }}) as hour_at,
        count(*) as n_{{ flow }},
        count(*) filter (is_stay_credible) as n_of_known_end,
        count({{ measure }}) as n_known,
        sum({{ measure }}) as total,
        sum({{ measure }} * {{ measure }}) as square_total,
        quantile_cont({{ measure }}::double, [0.5, 0.9]) as quantiles
    from stays
    where {{ condition }} and {{ moment }} >= {{ since }}
    group by all
),
{% endfor %}

departments as (
    select
        department_key,
        date_trunc('hour', greatest(min(admitted_at), {{ since }})) as first_hour_at,
        count(*) filter (
            is_stay_credible and admitted_at < {{ since }}
            and coalesce(discharged_at, 'infinity') >= {{ since }}
        ) as n_present_before
    from stays
    group by department_key
),

hours as (
    select
        departments.*,
        unnest(generate_series(first_hour_at, last_moment_at, interval 1 hour)) as hour_at
    from departments
    -- One row.
    cross join horizon
),

final as (
    select
        department_key, hour_at,
        coalesce(n_admissions, 0) as n_admissions,
        coalesce(n_admissions - admissions.n_of_known_end, 0) as n_end_unknown,
        coalesce(n_discharges, 0) as n_discharges,
        (n_present_before + sum(
            coalesce(admissions.n_of_known_end, 0) - coalesce(n_discharges, 0)
        ) over (partition by department_key order by hour_at))::bigint as census,
        {{ hour_columns('admissions', 'wait_minutes', 'wait') }},
        {{ hour_columns('discharges', 'length_of_stay_hours', 'stay') }}
    from hours
    -- One row per department and hour on each side.
    left join admissions using (department_key, hour_at)
    left join discharges using (department_key, hour_at)
)

select * from final
