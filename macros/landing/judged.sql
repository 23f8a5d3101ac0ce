{# The list of repairs of a record; an empty list costs next to nothing where nothing was repaired. #}
{% macro repairs(rules) %}
    case
        when {% for condition, label in rules %}{{ condition }}{{ ' or ' if not loop.last }}{% endfor %}
            then list_filter([
                {% for condition, label in rules -%}
                case when {{ condition }} then '{{ label }}' end{{ ', ' if not loop.last }}
                {% endfor -%}
            ], lambda repair : repair is not null)
        else []::varchar[]
    end
{% endmacro %}


{# The first reason for which a record is rejected, or null. #}
{% macro rejection(rules) %}
    case
        when unreadable_text is not null
            then case
                when not coalesce(json_valid(unreadable_text), false) then 'unreadable_line'
                when json_type(unreadable_text) <> 'OBJECT' then 'unreadable_line'
                when list_unique(json_keys(unreadable_text)) < len(json_keys(unreadable_text))
                    then 'repeated_key'
                else 'nul_character'
            end
        {% for condition, reason in rules -%}
        when {{ condition }} then '{{ reason }}'
        {% endfor -%}
    end
{% endmacro %}


{# Identity of a record inside one warehouse: equal typed values give equal hashes. Never a key. #}
{% macro record_hash(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}


{# The raw record as JSON, kept for rejected records only: the rest can be read in the files. #}
{% macro rejected_record(columns) %}
    case
        when rejection_reason is not null
            then to_json({
                {%- for column in columns %}{{ column }}: raw.{{ column }}{{ ', ' if not loop.last }}{% endfor -%}
            })::varchar
    end
{% endmacro %}


{# A negative amount, unless it is written as a credit and credits are allowed. #}
{% macro is_refused_amount(amount, text) -%}
    {{ amount }} < 0
    {%- if var('allow_credit_amounts') %} and not {{ is_credit(text) }}{% endif %}
{%- endmacro %}


{# A repair rule: the source says something, and it could not be read. #}
{% macro unread(typed_column, raw_column=none) %}
    {% set raw_column = raw_column or typed_column %}
    {{ return((
        typed_column ~ ' is null and not ' ~ is_blank('raw.' ~ raw_column), raw_column ~ ':set_null'
    )) }}
{% endmacro %}


{# Rejection rules for fields that a record must have: blank, or, where a word for it is given,
   there and not to be used. A field is a column, or the feed's column and the one it is read to. #}
{% macro required(fields, otherwise=none) %}
    {% set rules = [] %}
    {% for field in fields %}
        {% set raw_column, typed_column = (field, field) if field is string else field %}
        {% if otherwise %}
            {% do rules.append((
                typed_column ~ ' is null and ' ~ is_blank('raw.' ~ raw_column), 'missing_' ~ raw_column
            )) %}
        {% endif %}
        {% do rules.append((typed_column ~ ' is null', (otherwise or 'missing') ~ '_' ~ raw_column)) %}
    {% endfor %}
    {{ return(rules) }}
{% endmacro %}


{# Joins a seed of spellings under its own name. #}
{% macro known_by_spelling(column, seed) -%}
    left join {{ ref(seed) }} as {{ seed }} on {{ spelling(column) }} = {{ seed }}.spelling
{%- endmacro %}
