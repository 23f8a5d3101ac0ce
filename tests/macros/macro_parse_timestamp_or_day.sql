-- A day alone is its midnight; a text with a clock, readable or not, is read as a timestamp or not.
{{ config(enabled=var('date_formats', none) is none) }}

with cases (text, expected, in_berlin) as (
    values
    ('2025-08-04', timestamp '2025-08-04 00:00:00', timestamp '2025-08-03 22:00:00'),
    ('04/08/2025', timestamp '2025-08-04 00:00:00', timestamp '2025-08-03 22:00:00'),
    ('20250804', timestamp '2025-08-04 00:00:00', timestamp '2025-08-03 22:00:00'),
    ('2025-08-04 10:05', timestamp '2025-08-04 10:05:00', timestamp '2025-08-04 08:05:00'),
    ('20250804100506', timestamp '2025-08-04 10:05:06', timestamp '2025-08-04 08:05:06'),
    ('1754301906', timestamp '2025-08-04 10:05:06', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04 25:00', null, null),
    ('2025-08-04 0:30 AM', null, null),
    ('20250804250506', null, null),
    ('2025080410', null, null),
    ('2025-02-30', null, null),
    ('later', null, null),
    ('', null, null),
    (null, null, null)
),

results as (
    select text, expected, {{ parse_timestamp_or_day('text', 'dmy') }} as result from cases
    union all
    select
        text,
        in_berlin as expected,
        {{ parse_timestamp_or_day('text', 'dmy', {'time_zone': 'Europe/Berlin'}) }} as result
    from cases
)

select * from results
where result is distinct from expected
