-- A credit is a readable amount in parentheses; a minus sign makes none.
with cases (text, expected) as (
    values
    ('(5)', true),
    ('(1,234.50)', true),
    ('($5.00)', true),
    ('$(5.00)', true),
    (' (5) USD', true),
    ('(0)', true),
    ('5 CR', true),
    ('-5 CR', false),
    ('five CR', false),
    ('5-', false),
    ('5', false),
    ('-5', false),
    ('-$5', false),
    ('(5', false),
    ('(-5)', false),
    ('(12,34)', false),
    ('(five)', false),
    ('5 (five)', false),
    ('()', false),
    ('N/A', false),
    ('', false),
    (null, false)
),

comma_cases (text, expected) as (
    values
    ('(1.234,50)', true),
    ('(1.5)', false),
    ('1.234,50', false)
),

results as (
    select '.' as decimal_mark, text, expected, {{ is_credit('text') }} as result from cases
    union all
    select ',' as decimal_mark, text, expected, {{ is_credit('text', ',') }} as result
    from comma_cases
)

select * from results
where result is distinct from expected
