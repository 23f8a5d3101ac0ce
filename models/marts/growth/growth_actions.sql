-- What to do, and the evidence for it. No action rewards referrals by their number: docs/privacy.md
-- says why.
with situations as (
    select * from {{ ref('growth_situations') }}
),

playbook as (
    select * from {{ ref('growth_playbook') }}
),

final as (
    select
        situations.action,
        situations.subject_type,
        situations.subject,
        situations.item_name,
        playbook.situation,
        playbook.recommendation,
        playbook.owner,
        playbook.needs_compliance_review,
        situations.evidence,
        situations.n,
        situations.verdict
    from situations
    -- An action is in the playbook once.
    inner join playbook on situations.action = playbook.action
)

select * from final
order by action, subject_type, subject, item_name
