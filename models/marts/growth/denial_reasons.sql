-- Where denials fall: by diagnosis, by procedure, and by both.
with claims as (
    select * from {{ ref('fct_claims') }}
),

counted as (
    select
        case
            when grouping(diagnosis_code) = 0 and grouping(procedure_code) = 0
                then 'diagnosis and procedure'
            when grouping(diagnosis_code) = 0 then 'diagnosis'
            when grouping(procedure_code) = 0 then 'procedure'
            else 'all'
        end as breakdown,
        if(grouping(diagnosis_code) = 0, coalesce(diagnosis_code, 'none'), null) as diagnosis_code,
        if(grouping(procedure_code) = 0, coalesce(procedure_code, 'none'), null) as procedure_code,
        count(*) as n_claims,
        count(*) filter (is_denied) as n_denied,
        sum(claim_amount)::decimal(18, 2) as claim_amount,
        coalesce(sum(claim_amount) filter (is_denied), 0)::decimal(18, 2) as denied_amount
    from claims
    group by cube(diagnosis_code, procedure_code)
    having count(*) > 0
),

final as (
    select
        *,
        {{ rate_with_interval('n_denied', 'n_claims', 'denial_rate') }}
    from counted
)

select * from final
order by breakdown asc, denial_rate desc, diagnosis_code asc, procedure_code asc
