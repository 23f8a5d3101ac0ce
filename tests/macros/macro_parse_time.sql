-- A time of day is of 24 hours, or of 12 with its half named; whatever else is null.
with cases (text, expected) as (
    values
    ('11:30:00', time '11:30:00'),
    ('00:00:00', time '00:00:00'),
    ('23:59:59', time '23:59:59'),
    ('11:30', time '11:30:00'),
    ('8:05', time '08:05:00'),
    (' 8:05:09 ', time '08:05:09'),
    ('08:05:09.250', time '08:05:09.250'),
    ('2:30 PM', time '14:30:00'),
    ('2:30pm', time '14:30:00'),
    ('12:00 AM', time '00:00:00'),
    ('12:15 pm', time '12:15:00'),
    ('14:30 PM', null),
    ('24:00:00', null),
    ('24:00', null),
    ('25:75:00', null),
    ('11:60', null),
    ('11', null),
    ('1130', null),
    ('ab:cd:ef', null),
    ('2024-05-18 11:30:00', null),
    ('noon', null),
    ('', null),
    (null, null)
),

results as (
    select text, expected, {{ parse_time('text') }} as result from cases
)

select * from results
where result is distinct from expected
