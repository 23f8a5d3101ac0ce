-- Timestamps become UTC; what has no readable time, or no readable zone, becomes none.
{{ config(enabled=var('date_formats', none) is none) }}

with cases (text, expected) as (
    values
    ('2025-08-04 10:05:06', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04T10:05:06', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04 10:05', timestamp '2025-08-04 10:05:00'),
    ('2025-08-04T10:05Z', timestamp '2025-08-04 10:05:00'),
    ('2025-08-04 9:05', timestamp '2025-08-04 09:05:00'),
    (' 2025-08-04 10:05:06 ', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04' || chr(160) || '10:05:06', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04T10:05:06.5', timestamp '2025-08-04 10:05:06.5'),
    ('2025-08-04 10:05:06.123456', timestamp '2025-08-04 10:05:06.123456'),
    ('2025-08-04T10:05:06.123456789Z', timestamp '2025-08-04 10:05:06.123456'),
    ('2025-08-04T10:05:06Z', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04t10:05:06z', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04 10:05:06 UTC', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04T10:05:06+00:00', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04T10:05:06-00:00', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04T10:05:06+02:00', timestamp '2025-08-04 08:05:06'),
    ('2025-08-04T10:05:06.250+02:00', timestamp '2025-08-04 08:05:06.25'),
    ('2025-08-04 10:05:06+0200', timestamp '2025-08-04 08:05:06'),
    ('2025-08-04 10:05:06 +02', timestamp '2025-08-04 08:05:06'),
    ('2025-08-04 10:05+05:30', timestamp '2025-08-04 04:35:00'),
    ('2025-08-04T23:30:00-05:00', timestamp '2025-08-05 04:30:00'),
    ('2025-08-04 24:00:00', timestamp '2025-08-05 00:00:00'),
    ('2025-08-04T24:00:00+02:00', timestamp '2025-08-04 22:00:00'),
    ('2025-08-04 12:30 AM', timestamp '2025-08-04 00:30:00'),
    ('2025-08-04 12:30 PM', timestamp '2025-08-04 12:30:00'),
    ('2025-08-04 10:00 PM', timestamp '2025-08-04 22:00:00'),
    ('2025-08-04 1:05:06pm', timestamp '2025-08-04 13:05:06'),
    ('2025-08-04 1:05:06.250 PM', timestamp '2025-08-04 13:05:06.25'),
    ('2025-08-04 1:05 PM +02:00', timestamp '2025-08-04 11:05:00'),
    ('2025/08/04 10:05', timestamp '2025-08-04 10:05:00'),
    ('20250804 10:05', timestamp '2025-08-04 10:05:00'),
    ('20250804T10:05:06Z', timestamp '2025-08-04 10:05:06'),
    ('Aug 4, 2025 1:05 pm', timestamp '2025-08-04 13:05:00'),
    ('4 August 2025 10:05', timestamp '2025-08-04 10:05:00'),
    ('04-Aug-2025 10:05:06', timestamp '2025-08-04 10:05:06'),
    -- In digits alone: of HL7, ISO 8601 and Unix.
    ('20250804100506', timestamp '2025-08-04 10:05:06'),
    ('202508041005', timestamp '2025-08-04 10:05:00'),
    ('20250804100506.25+0200', timestamp '2025-08-04 08:05:06.25'),
    ('20250804T100506Z', timestamp '2025-08-04 10:05:06'),
    ('20250804T1005', timestamp '2025-08-04 10:05:00'),
    ('1754301906', timestamp '2025-08-04 10:05:06'),
    (' 1754301906250 ', timestamp '2025-08-04 10:05:06.25'),
    ('2025080410', null),
    ('20250804', null),
    ('20251304100506', null),
    ('20250804250506', null),
    ('20250804106006', null),
    -- Impossible dates, times and zones.
    ('2025-02-30 10:00:00', null),
    ('2025-13-01T10:00:00Z', null),
    ('2025-08-04 25:00:00', null),
    ('2025-08-04 24:00:01', null),
    ('2025-08-04 10:60:00', null),
    ('2025-08-04 10:00:60', null),
    ('2025-08-04 13:00 PM', null),
    ('2025-08-04 0:30 AM', null),
    ('2025-08-04 10:00:00+25:00', null),
    ('2025-08-04 10:00:00+02:60', null),
    ('2025-08-04 10:00:00 EST', null),
    ('2025-08-04 10:00:00 Europe/Berlin', null),
    -- No time.
    ('2025-08-04', null),
    ('04/08/2025', null),
    ('2025-08-04T', null),
    ('2025-08-04 10', null),
    ('2025-08-04 +02', null),
    ('10:00:00', null),
    -- No readable date, or something behind the time.
    ('04/08/25 10:00', null),
    ('25-08-04 10:00:00', null),
    ('20250-1-05 10:00:00', null),
    ('2025-08-04 10:00:00 garbage', null),
    ('2025-08-04 10:00:00 (BC)', null),
    ('2025-08-04 (BC) 10:00:00', null),
    ('2025-08-04 10:00 10:00', null),
    ('2025-08-04T10:00:00,5', null),
    -- No timestamps.
    ('1754265600.5', null),
    ('infinity', null),
    ('epoch', null),
    ('now', null),
    ('N/A', null),
    (' ', null),
    ('', null),
    (null, null),
    -- The calendar's edges.
    ((date '{{ var("calendar_start") }}' - 1) || ' 23:59:59', null),
    ((date '{{ var("calendar_end") }}' + 1) || ' 00:00:00', null),
    ((date '{{ var("calendar_end") }}' + 1) || 'T00:00+01:00', null)
),

ordered_cases (text, day_first, month_first) as (
    values
    ('04/08/2025 10:05', timestamp '2025-08-04 10:05:00', timestamp '2025-04-08 10:05:00'),
    ('4/8/2025 1:05 PM', timestamp '2025-08-04 13:05:00', timestamp '2025-04-08 13:05:00'),
    ('04.08.2025 10:05:06', timestamp '2025-08-04 10:05:06', timestamp '2025-04-08 10:05:06'),
    ('04-08-2025 10:05+01:00', timestamp '2025-08-04 09:05:00', timestamp '2025-04-08 09:05:00'),
    ('31/08/2025 10:05', timestamp '2025-08-31 10:05:00', null),
    ('08/31/2025 10:05', null, timestamp '2025-08-31 10:05:00')
),

-- A feed of Berlin, whose export also writes EST, and CST for the clock of Chicago.
zone_cases (text, expected) as (
    values
    ('2025-03-30 01:59:00', timestamp '2025-03-30 00:59:00'),
    ('2025-03-30 03:00:00', timestamp '2025-03-30 01:00:00'),
    ('2025-10-26T12:00', timestamp '2025-10-26 11:00:00'),
    ('2025-08-04 10:05:06.5', timestamp '2025-08-04 08:05:06.5'),
    ('04/08/2025 10:05', timestamp '2025-08-04 08:05:00'),
    ('04/08/2025 1:05 PM', timestamp '2025-08-04 11:05:00'),
    ('20250804100506', timestamp '2025-08-04 08:05:06'),
    ('1754301906', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04T10:05:06Z', timestamp '2025-08-04 10:05:06'),
    ('2025-08-04 10:05 GMT', timestamp '2025-08-04 10:05:00'),
    ('2025-08-04T10:05:06+05:30', timestamp '2025-08-04 04:35:06'),
    ('2025-08-04 10:05 EST', timestamp '2025-08-04 15:05:00'),
    ('2025-08-04 10:05:00 CST', timestamp '2025-08-04 15:05:00'),
    ('2025-01-04 10:05:00 CST', timestamp '2025-01-04 16:05:00'),
    ('20250804100506 EST', timestamp '2025-08-04 15:05:06'),
    ('2025-08-04 10:05 PST', null),
    ('2025-02-30 10:05:00', null)
),

results as (
    select
        'zone' as date_order, text, expected,
        {{ parse_timestamp('text', 'dmy', {
            'time_zone': 'Europe/Berlin', 'zone:EST': '-05:00', 'zone:CST': 'America/Chicago',
        }) }} as result
    from zone_cases
    union all
    select 'dmy' as date_order, text, expected, {{ parse_timestamp('text', 'dmy') }} as result
    from cases
    union all
    select 'mdy' as date_order, text, expected, {{ parse_timestamp('text', 'mdy') }} as result
    from cases
    union all
    select
        'dmy' as date_order, text, day_first as expected,
        {{ parse_timestamp('text', 'dmy') }} as result
    from ordered_cases
    union all
    select
        'mdy' as date_order, text, month_first as expected,
        {{ parse_timestamp('text', 'mdy') }} as result
    from ordered_cases
)

select * from results
where
    result is distinct from case
        when
            expected::date
            between date '{{ var("calendar_start") }}' and date '{{ var("calendar_end") }}'
            then expected
    end
    or typeof(result) <> 'TIMESTAMP'
