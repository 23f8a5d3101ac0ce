-- Yes and no come in few words; whatever else is null, never a guess.
with cases (text, expected) as (
    values
    ('True', true),
    ('true', true),
    (' TRUE ', true),
    ('t', true),
    ('Yes', true),
    ('y' || chr(160), true),
    ('1', true),
    ('1.0', true),
    ('False', false),
    ('no', false),
    ('N', false),
    ('f', false),
    ('0', false),
    ('0.0', false),
    ('10', null),
    ('-1', null),
    ('2', null),
    ('maybe', null),
    ('yes and no', null),
    ('nan', null),
    ('', null),
    (null, null)
),

results as (
    select text, expected, {{ parse_boolean('text') }} as result from cases
)

select * from results
where result is distinct from expected
