{% macro parse_number(column, scale=4, decimal_mark='.') %}
    {{ return(adapter.dispatch('read_decimal', 'wardhouse')(column, scale, decimal_mark)) }}
{% endmacro %}


{# A plain number, or one in groups of three with one kind of separator. Grouped digits never begin
   with 0: '0,123' is more likely a decimal comma, and a guess is worse than a null. #}
{% macro written_number(decimal_mark) -%}
    {%- set mark = '[' ~ decimal_mark ~ ']' -%}
    {%- set separators = ['[,]' if decimal_mark == '.' else '[.]', "[''’]", blank_character()] -%}
    (?:(?:[0-9]+|[1-9][0-9]{0,2}(?:
    {%- for separator in separators -%}
        (?:{{ separator }}[0-9]{3})+{{ '|' if not loop.last }}
    {%- endfor -%}
    ))(?:{{ mark }}[0-9]*)?|{{ mark }}[0-9]+)
{%- endmacro %}


{% macro signed_number(decimal_mark, currency='') -%}
    {%- set number = written_number(decimal_mark) -%}
    {%- set blanks = blank_character() ~ '*' -%}
    {%- set sign = '[-+−]?' ~ blanks -%}
    {%- set mark = currency ~ blanks if currency else '' -%}
    {{ blanks }}(?:{{ sign }}{{ mark }}(?:{{ sign }}{{ number }}|[(]{{ blanks }}{{ mark }}{{ number }}
    {#- -#}
    {{ blanks }}{{ mark }}[)]){{ blanks }}{{ mark }}|
    {#- -#}
    {{ mark }}{{ number }}{{ blanks }}{{ mark }}{{ negative_end(currency) }}){{ blanks }}
{%- endmacro %}


{# A sign behind the number, as old ledgers print it, and of amounts the word for credit. #}
{% macro negative_end(currency='') -%}
    (?:[-−]{{ '|(?i:cr)' if currency }})
{%- endmacro %}


{# The cast alone would take '1_000', and with a decimal comma '1.234' as a bit more than one. #}
{% macro read_clean_decimal(column, scale, decimal_mark) -%}
    try_cast(
    {%- if decimal_mark == '.' -%}
        case when not contains({{ column }}, '_') then {{ column }} end
    {%- else -%}
        case
            when not contains({{ column }}, '.') and not contains({{ column }}, '_')
                then replace({{ column }}, ',', '.')
        end
    {%- endif %} as decimal(18, {{ scale }}))
{%- endmacro %}


{# First the whole text is held against the grammar, then what is no part of the number goes. Two
   signs remain two signs, which the cast refuses. #}
{% macro read_dirty_decimal(column, scale, decimal_mark, currency='') -%}
    {%- set end = '[^(]' ~ negative_end(currency) ~ blank_character() ~ '*$' -%}
    {%- set kept = '[^-+−(0-9' ~ decimal_mark ~ ']' -%}
    case
        when not coalesce(
            regexp_full_match({{ column }}, '{{ signed_number(decimal_mark, currency) }}'), false
        ) then null
        when regexp_matches({{ column }}, '{{ end }}')
            then -try_cast(translate(
                regexp_replace({{ column }}, '(?i:rs[.])|[-−]|{{ kept }}', '', 'g'),
                '{{ decimal_mark }}', '.'
            ) as decimal(18, {{ scale }}))
        else try_cast(translate(
            regexp_replace({{ column }}, '(?i:rs[.])|{{ kept }}', '', 'g'),
            '(−{{ decimal_mark }}',
            '--.'
        ) as decimal(18, {{ scale }}))
    end
{%- endmacro %}
