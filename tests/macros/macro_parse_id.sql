-- An id is trimmed of every kind of blank and upper-cased; a placeholder is no id.
with cases (text, expected) as (
    values
    ('T0001', 'T0001'),
    ('t0001', 'T0001'),
    (' t0001', 'T0001'),
    ('t0001 ', 'T0001'),
    (chr(9) || 't0001' || chr(13) || chr(10), 'T0001'),
    (chr(160) || 'T0001' || chr(160), 'T0001'),
    (chr(65279) || 'T0001' || chr(8203), 'T0001'),
    ('12', '12'),
    (' 12', '12'),
    ('0012', '0012'),
    ('d-a', 'D-A'),
    ('a', 'A'),
    ('a 1', 'A 1'),
    ('(1', '(1'),
    ('é1', 'É1'),
    ('ab' || chr(160) || 'c', 'AB' || chr(160) || 'C'),
    ('dé', 'DÉ'),
    ('nan1', 'NAN1'),
    (null, null),
    ('', null),
    ('   ', null),
    (chr(160), null),
    ('NA', null),
    (' n/a ', null),
    ('null', null),
    ('None', null),
    ('nil', null),
    ('nan', null),
    ('-', null),
    ('--', null),
    ('?', null),
    ('.', null),
    ('unknown', null)
),

results as (
    select text, expected, {{ parse_id('text') }} as result from cases
)

select * from results where result is distinct from expected
