{# Key of a provider who is known by name; who is not named is the unknown member. #}
{% macro growth_provider_key(provider_id='provider_id') -%}
    {{ member_key('growth', 'provider', "coalesce(" ~ provider_id ~ ", 'unknown')") }}
{%- endmacro %}


{# The stages of the pipeline, each once: what the seed says of one is the same for every spelling. #}
{% macro pipeline_stages() -%}
    select
        pipeline_stage,
        min(stage_order) as stage_order,
        min(win_probability) as win_probability,
        bool_or(is_won) as is_won,
        bool_or(is_lost) as is_lost
    from {{ ref('pipeline_stages') }}
    group by pipeline_stage
{%- endmacro %}


{#
    A dimension of a list that is open: what its seed knows, what facts mention beside, and the unknown
    member.
#}
{% macro open_list(member, seed, facts) -%}
with known as (
    select {{ member }} from {{ seed }}
    union
    select 'Unknown' as {{ member }}
),

mentioned as (
    select distinct {{ member }} from {{ facts }}
),

final as (
    select
        {{ surrogate_key(["coalesce(known." ~ member ~ ", mentioned." ~ member ~ ")"]) }} as {{ member }}_key,
        coalesce(known.{{ member }}, mentioned.{{ member }}) as {{ member }},
        known.{{ member }} is null as is_inferred
    from known
    -- A member is on each side once.
    full outer join mentioned on known.{{ member }} = mentioned.{{ member }}
)

select * from final
{%- endmacro %}


{# What came of each unit spent, above it: null where nothing was spent or either is unknown. #}
{% macro return_on(gained, spent) -%}
    ({{ gained }} - {{ spent }})::double / nullif({{ spent }}, 0)::double
{%- endmacro %}


{# What a test of a change in volume says, in a word. #}
{% macro change_verdict() -%}
    case
        when tests.p_value_adjusted is null then 'too little to tell'
        when tests.p_value_adjusted >= {{ var('significance_level') }} then 'no significant change'
        when tests.rate_ratio < 1 then 'fewer'
        else 'more'
    end
{%- endmacro %}


{# What the encounters of a group add up to: averages are over what is known. #}
{% macro encounter_totals() -%}
    count(*) as n_encounters,
    count(distinct patient_key) as total_patients,
    avg(length_of_stay_days) as avg_length_of_stay,
    count(*) filter (length_of_stay_days is null) as n_stay_unknown,
    avg(satisfaction_score) as avg_satisfaction,
    count(*) filter (satisfaction_score is null) as n_satisfaction_unknown,
    avg(treatment_cost_amount) as avg_cost,
    sum(treatment_cost_amount)::decimal(18, 2) as total_cost,
    count(*) filter (treatment_cost_amount is null) as n_cost_unknown
{%- endmacro %}


{#
    The part of a provider's amount that falls to one service line: the difference of two rounded
    running totals. Of a provider without encounters its only row takes it whole.
#}
{% macro share_of(amount) -%}
    case
        when total_weight > 0 then
            {{ round_half_up(amount ~ '::double * weight_up_to / total_weight', 2) }}
            - {{ round_half_up(amount ~ '::double * (weight_up_to - weight) / total_weight', 2) }}
        else {{ amount }}
    end::decimal(18, 2)
{%- endmacro %}
