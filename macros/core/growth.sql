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
