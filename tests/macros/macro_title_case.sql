-- A name that no seed knows has one spelling, whatever its case and blanks.
with cases (text, expected) as (
    values
    ('Neurology', 'Neurology'),
    ('neurology', 'Neurology'),
    (' BURN   unit' || chr(9), 'Burn Unit'),
    ('burn' || chr(160) || 'Unit', 'Burn Unit'),
    ('x', 'X'),
    ('été', 'Été'),
    ('', null),
    ('  ', null),
    ('N/A', null),
    (null, null)
),

results as (
    select text, expected, {{ title_case('text') }} as result from cases
)

select * from results
where result is distinct from expected
