{#
    What people are told apart by, in the order of their names: var('persona_features'), columns of
    fct_engagement or of the feed's undeclared ones.
#}
{% macro persona_features() %}
    {% set features = profile_columns(var('persona_features')) %}
    {% if features | length < 2 %}
        {{ exceptions.raise_compiler_error(
            "persona_features names " ~ (features | join(', ') or 'nothing')
            ~ ": give two columns of healthcare_data or more, whether they are declared or not"
        ) }}
    {% endif %}
    {{ return(features) }}
{% endmacro %}


{#
    The columns that a setting names, each once: one that the feed declares by its name in fct_engagement,
    however it is spelled and by whatever name the feed is known to call it; another as it is named.
#}
{% macro profile_columns(names) %}
    {% set known = {} %}
    {% for column in declared_profile_numbers() + ['has_marketing_consent'] %}
        {% do known.update({plain_name(column): column}) %}
    {% endfor %}
    {% set feeds = graph.get('sources', {}).values() if execute else [] %}
    {% for feed in feeds if feed.source_name == 'engagement' and feed.name == 'healthcare_data' %}
        {% for column in feed.columns.values() %}
            {% set renamed = {'annual_value': 'annual_value_amount', 'marketing_consent': 'has_marketing_consent'} %}
            {% set own = plain_name(renamed.get(column.name, column.name)) %}
            {% for name in [column.name] + column.meta.get('aliases', []) if own in known %}
                {% do known.update({plain_name(name): known[own]}) %}
            {% endfor %}
        {% endfor %}
    {% endfor %}
    {% for option, name in feed_options('engagement', 'healthcare_data').items() %}
        {% set own = plain_name(option.removeprefix('column:')) %}
        {% do known.update({plain_name(name): known[own]}) if option.startswith('column:') and own in known %}
    {% endfor %}
    {% set found = [] %}
    {% for name in ([names] if names is string else names) %}
        {% do found.append(known.get(plain_name(name), name)) %}
    {% endfor %}
    {{ return(found | unique(case_sensitive=true) | list) }}
{% endmacro %}


{# What names of columns are compared by, as landing does: letters and digits alone, in lower case. #}
{% macro plain_name(name) %}
    {{ return(modules.re.sub('[\\W_]', '', name | string | lower)) }}
{% endmacro %}


{# A column of a person's profile as a number: a declared one, or one of those kept as they came. #}
{% macro profile_number(column, options) -%}
    {%- if column in declared_profile_numbers() -%}
        {{ column }}::double
    {%- else -%}
        {{ parse_number(undeclared_value('undeclared_values', column), 8, options.decimal_mark) }}::double
    {%- endif -%}
{%- endmacro %}


{% macro declared_profile_numbers() %}
    {{ return(engagement_measures() + ['annual_value_amount']) }}
{% endmacro %}


{# How values beyond the fences are treated: the var, held against what there is. #}
{% macro outlier_treatment() %}
    {% set treatment = var('persona_outlier_treatment') %}
    {% set known = ['winsorise', 'remove_from_fit', 'none'] %}
    {% if treatment not in known %}
        {{ exceptions.raise_compiler_error(
            "persona_outlier_treatment is " ~ treatment ~ ": take " ~ known | join(', ')
        ) }}
    {% endif %}
    {{ return(treatment) }}
{% endmacro %}


{# How many personas there shall be, empty where the rule chooses; refuses what is no such number. #}
{% macro persona_k() %}
    {% set k = var('persona_k') | string | trim %}
    {% if k and not (modules.re.fullmatch('[0-9]+', k) and k | int >= 2) %}
        {{ exceptions.raise_compiler_error(
            "persona_k is " ~ k ~ ": give a whole number from 2, or nothing to leave it to the rule"
        ) }}
    {% endif %}
    {{ return(k) }}
{% endmacro %}


{# Whether a value is beyond a feature's fences; one without fences has none beyond. #}
{% macro is_beyond_fences(value) -%}
    coalesce({{ value }} < lower_fence or {{ value }} > upper_fence, false)
{%- endmacro %}


{# A value drawn in to the nearer fence. #}
{% macro winsorised(value) -%}
    case
        when {{ value }} < lower_fence then lower_fence
        when {{ value }} > upper_fence then upper_fence
        else {{ value }}
    end
{%- endmacro %}


{#
    The scaler and the centroids of each person type, as lists in the order of the features' names,
    of a fit whose components begin with a prefix. One row per person type.
#}
{% macro persona_model(prefix='') %}
    select
        scalers.*,
        centroids.persona_numbers,
        centroids.centroids
    from (
        select
            person_type,
            list(feature order by feature) filter (component = '{{ prefix }}scaler_mean') as features,
            list(value order by feature) filter (component = '{{ prefix }}scaler_mean') as means,
            list(value order by feature) filter (component = '{{ prefix }}scaler_scale') as scales,
            {{ fit_is_reliable() }} as is_reliable
        from {{ ref('persona_fit') }}
        group by person_type
    ) as scalers
    -- One row per person type on the right.
    inner join (
        select
            person_type,
            list(persona_number order by persona_number) as persona_numbers,
            list({{ as_point('centroid', persona_features() | length) }} order by persona_number) as centroids
        from (
            select
                person_type,
                level::integer as persona_number,
                list(value order by feature) as centroid
            from {{ ref('persona_fit') }}
            where component = '{{ prefix }}centroid'
            group by person_type, level
        ) as each_persona
        group by person_type
    ) as centroids on scalers.person_type = centroids.person_type
{% endmacro %}


{# What the personas were called when this model was last built; nothing before the first time. #}
{% macro names_of_last_build() %}
    {% set last = load_relation(this) if execute else none %}
    {% if last %}
    select
        person_type,
        persona_number,
        persona_name
    from {{ last }}
    {% else %}
    select
        null::varchar as person_type,
        null::integer as persona_number,
        null::varchar as persona_name
    where false
    {% endif %}
{% endmacro %}


{# A figure of a group of people, unless they are so few that it would tell of single ones. #}
{% macro unless_few(figure, n_people) -%}
    case when {{ n_people }} >= {{ var('minimum_cell_size') }} then {{ figure }} end
{%- endmacro %}


{# A column of a person's profile as text. #}
{% macro profile_text(column) -%}
    {%- if column in declared_profile_numbers() + ['has_marketing_consent'] -%}
        {{ column }}::varchar
    {%- else -%}
        {{ parse_text(undeclared_value('undeclared_values', column)) }}
    {%- endif -%}
{%- endmacro %}


{# What personas are held against: columns that did not make them, for a test of those that did is circular. #}
{% macro persona_outside_columns() %}
    {% set columns = profile_columns(var('persona_outside_columns')) %}
    {% set features = persona_features() | map('lower') | list %}
    {% set circular = [] %}
    {% for column in columns if column | lower in features %}
        {% do circular.append(column) %}
    {% endfor %}
    {% if circular or not columns %}
        {{ exceptions.raise_compiler_error(
            "persona_outside_columns names " ~ (circular | join(', ') ~ ', of which the personas are made'
            if circular else 'nothing') ~ ": give columns of healthcare_data that are in no persona_features"
        ) }}
    {% endif %}
    {{ return(columns) }}
{% endmacro %}


{#
    Some columns of `people`, beside the personas of their type as `fitted` has them, and the point where
    each person is. One row is crossed and not joined: a join would copy the centroids for each person.
#}
{% macro people_and_personas(columns) %}
    {% for person_type in ['patient', 'physician'] %}
    select
        {% for column in columns %}
        people.{{ column }},
        {% endfor %}
        fitted.features,
        fitted.persona_numbers,
        fitted.centroids,
        fitted.is_reliable,
        {{ scaled_point('people.feature_values', persona_features() | length) }} as point
    from people
    cross join fitted
    where people.person_type = '{{ person_type }}' and fitted.person_type = '{{ person_type }}'
    {{ 'union all' if not loop.last }}
    {% endfor %}
{% endmacro %}
