{#
    What every base model keeps beside the columns of its feed: hashes that tell records and keys
    apart inside one warehouse, never as keys; whether a record is a duplicate; and the raw record
    where it is rejected. Belongs in a select from a CTE that has `raw`, `source_file`, the typed
    columns, `repairs` and `rejection_reason`.

    unhashed  further columns that depend on when a record came in, and not on what it says
#}
{% macro envelope(unhashed=[]) -%}
    {%- set arrival = ['source_file', 'ingested_at', 'stream_position'] -%}
    {%- set unhashed = ['raw', 'rejection_reason'] + arrival + unhashed -%}
    hash(*columns(lambda name : name not in ('{{ unhashed | join("', '") }}'))) as record_hash,
    {{ 'hash(' ~ config.get('key') | join(', ') ~ ')' if config.get('key') else 'record_hash' }} as key_hash,
    false as is_duplicate,
    case
        when rejection_reason is not null
            then json_merge_patch(to_json(raw), '{"source_file": null, "ingested_at": null}')::varchar
    end as rejected_record
{%- endmacro %}


{#
    The list of a record's repairs: the block that calls it names them, each a `case` that is null
    where nothing was repaired. Most records have none, and a list is made for the others only.
#}
{% macro repairs() -%}
    coalesce(string_split(nullif(concat_ws(' ',
        {{ caller() }}
    ), ''), ' '), [])::varchar[]
{%- endmacro %}


{# The repair of a column that is null though the source says something, which could not be read. #}
{% macro unread(typed_column, raw_column=none, record='raw', unless=none) -%}
    {%- set raw_column = raw_column or typed_column -%}
    case
        when {{ typed_column }} is null and not {{ is_blank(record ~ '.' ~ raw_column) }}
            {%- if unless %} and not {{ unless }}{% endif %}
            then '{{ raw_column }}:set_null'
    end
{%- endmacro %}


{# A number where it lies in the range that is possible, of two ends or none; else null. #}
{% macro in_range(number, range) -%}
    {%- if range -%}
        case when {{ number }} between {{ range[0] }} and {{ range[1] }} then {{ number }} end
    {%- else -%}
        {{ number }}
    {%- endif -%}
{%- endmacro %}


{# The repair of a number that is null because it lies outside of that range. #}
{% macro out_of_range(number, range, raw_column) -%}
    {%- if range -%}
        case
            when {{ number }} not between {{ range[0] }} and {{ range[1] }}
                then '{{ raw_column }}:out_of_range'
        end
    {%- else -%}
        null
    {%- endif -%}
{%- endmacro %}


{# The repair of an amount that is null and taken as zero: blank, or written so that none can read it. #}
{% macro taken_as_zero(amount, raw_column) -%}
    case
        when {{ amount }} is not null then null
        when {{ is_blank('raw.' ~ raw_column) }} then '{{ raw_column }}:imputed_zero'
        else '{{ raw_column }}:unread_as_zero'
    end
{%- endmacro %}


{# The mark of a time of which the day alone is known. #}
{% macro unknown_time(typed_column, raw_column) -%}
    case
        when {{ is_day_alone('raw.' ~ raw_column) }} and {{ typed_column }} is not null
            then '{{ raw_column }}:time_unknown'
    end
{%- endmacro %}


{# Why the reader set a record aside: it is no record, or one that says something twice or with a NUL. #}
{% macro unreadable_reason() -%}
    case
        when starts_with(raw.unreadable_text, 'repeated header: ') then 'repeated_header'
        when not coalesce(json_valid(raw.unreadable_text), false) then 'unreadable_line'
        when json_type(raw.unreadable_text) <> 'OBJECT' then 'unreadable_line'
        when list_unique(json_keys(raw.unreadable_text)) < len(json_keys(raw.unreadable_text))
            then 'repeated_key'
        else 'nul_character'
    end
{%- endmacro %}


{# Why a field that a record must have is null: the source says nothing, or what it says cannot be used. #}
{% macro missing_or(word, raw_column) -%}
    case
        when {{ is_blank('raw.' ~ raw_column) }} then 'missing_{{ raw_column }}'
        else '{{ word }}_{{ raw_column }}'
    end
{%- endmacro %}


{#
    Branches of a case: why a record is refused that lacks a field it must have, one after another.
    Each further argument is a column, as "typed raw" where the two are not called alike.
#}
{% macro required(word) -%}
    {%- for column in varargs %}
        when {{ column.split(' ')[0] }} is null then {{ missing_or(word, column.split(' ')[-1]) }}
    {%- endfor -%}
{%- endmacro %}


{# Whether an amount is negative, unless it is written as a credit and credits are allowed. #}
{% macro is_refused_amount(amount, text) -%}
    {{ amount }} < 0
    {%- if var('allow_credit_amounts') %} and not {{ is_credit(text) }}{% endif %}
{%- endmacro %}


{# Whether a number is beyond what a variable allows, also one too large for the type it is read as. #}
{% macro is_implausible(number, text, highest) -%}
    case
        when {{ number }} is not null then abs({{ number }}) > {{ var(highest) }}
        else coalesce(try_cast({{ text }} as double) between {{ var(highest) }} and 1e300, false)
    end
{%- endmacro %}


{# A branch of a case: a word that a record must have is none that is known, which the reason names. #}
{% macro known_word(column, raw_column) -%}
    when {{ column }} is null then case
        when {{ is_blank('raw.' ~ raw_column) }} then 'missing_{{ raw_column }}'
        else 'unknown_{{ raw_column }}: ' || left({{ parse_text('raw.' ~ raw_column) }}, 40)
    end
{%- endmacro %}


{#
    A word as a list of spellings writes it: where spellings.csv of the raw directory has one for it,
    the word that it stands for.
#}
{% macro respelled(column, seed, options) -%}
    {%- set prefix = 'spelling:' ~ seed ~ ':' -%}
    {%- set words = [] -%}
    {%- for option, value in options.items() if option.startswith(prefix) -%}
        {%- do words.append('when ' ~ sql_text(option[prefix | length:]) ~ ' then ' ~ sql_text(value)) -%}
    {%- endfor -%}
    {%- if words -%}
        case {{ spelling(column) }} {{ words | join(' ') }} else {{ column }} end
    {%- else -%}
        {{ column }}
    {%- endif -%}
{%- endmacro %}


{# A respelled word as text, for lists that nobody can know to the end. #}
{% macro spelled(column, seed, options) -%}
    {{ parse_text(respelled(column, seed, options)) }}
{%- endmacro %}


{# Joins a seed of spellings under its own name. #}
{% macro known_by_spelling(column, seed, options={}) -%}
    left join {{ ref(seed) }} as {{ seed }} on {{ spelling(respelled(column, seed, options)) }} = {{ seed }}.spelling
{%- endmacro %}
