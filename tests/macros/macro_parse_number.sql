-- Numbers read as amounts are, without currencies and to the scale asked for.
with cases (text, expected) as (
    values
    ('4', 4::decimal(18, 4)),
    ('3.5', 3.5),
    ('-1.25', -1.25),
    ('1.00005', 1.0001),
    ('-1.00005', -1.0001),
    ('1e-2', 0.01),
    (' 4 ', 4),
    (chr(160) || '4', 4),
    ('1,234.5', 1234.5),
    ('1 234', 1234),
    ('(4)', -4),
    ('- 4', -4),
    ('4-', -4),
    ('4 CR', null),
    ('8/10', null),
    ('Good', null),
    ('4,5', null),
    ('$4', null),
    ('4 USD', null),
    ('4/5', null),
    ('4 stars', null),
    ('1,5', null),
    ('1_0', null),
    ('95%', null),
    ('NaN', null),
    ('inf', null),
    ('1e400', null),
    ('100000000000000', null),
    ('four', null),
    ('N/A', null),
    ('', null),
    (null, null)
),

comma_cases (text, expected) as (
    values
    ('3,5', 3.5::decimal(18, 4)),
    ('1.234,5', 1234.5),
    ('3.5', null)
),

whole_cases (text, expected) as (
    values
    ('12', 12::decimal(18, 0)),
    ('2.5', 3),
    ('-2.5', -3),
    ('2.4999', 2)
),

results as (
    select text, expected, {{ parse_number('text') }} as result from cases
    union all
    select text, expected, {{ parse_number('text', decimal_mark=',') }} as result from comma_cases
    union all
    select text, expected, {{ parse_number('text', scale=0) }} as result from whole_cases
)

select * from results
where result is distinct from expected
