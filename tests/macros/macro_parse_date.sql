-- Every accepted way to write a date in both orders, and texts that must never become a date.
{{ config(enabled=var('date_formats', none) is none) }}

with cases (text, expected) as (
    values
    ('2025-08-04', date '2025-08-04'),
    ('2025-8-4', date '2025-08-04'),
    ('2024-02-29', date '2024-02-29'),
    (' 2025-08-04 ', date '2025-08-04'),
    (chr(160) || '2025-08-04' || chr(160), date '2025-08-04'),
    ('2025/08/04', date '2025-08-04'),
    ('2025/8/4', date '2025-08-04'),
    ('20250804', date '2025-08-04'),
    ('20250804' || chr(9), date '2025-08-04'),
    ('Aug 4, 2025', date '2025-08-04'),
    ('aug 04, 2025', date '2025-08-04'),
    ('August 4, 2025', date '2025-08-04'),
    ('AUGUST 04, 2025', date '2025-08-04'),
    ('4 Aug 2025', date '2025-08-04'),
    ('04 August 2025', date '2025-08-04'),
    ('04-Aug-2025', date '2025-08-04'),
    ('4-AUG-2025', date '2025-08-04'),
    ('May 4, 2025', date '2025-05-04'),
    -- The date of a timestamp as written, whatever its zone.
    ('2025-08-04T10:00', date '2025-08-04'),
    ('2025-08-04 10:00:00', date '2025-08-04'),
    ('2025-08-04T10:00:00.123456Z', date '2025-08-04'),
    ('2025-08-04T23:30:00-05:00', date '2025-08-04'),
    ('2025-08-04 00:30:00 +0200', date '2025-08-04'),
    ('2025-08-04T24:00:00', date '2025-08-04'),
    ('2025/08/04 10:00', date '2025-08-04'),
    ('Aug 4, 2025 1:05 pm', date '2025-08-04'),
    -- In digits alone: of HL7, ISO 8601 and Unix.
    ('20250804100506', date '2025-08-04'),
    ('202508041005', date '2025-08-04'),
    ('20250804233000-0500', date '2025-08-04'),
    ('20250804T100506Z', date '2025-08-04'),
    ('20250804T1005', date '2025-08-04'),
    ('1754265600', date '2025-08-04'),
    (' 1754265600000 ', date '2025-08-04'),
    ('2025080410', null),
    ('2754265600', null),
    ('20251304100506', null),
    ('20250804250506', null),
    ('2025080410050', null),
    ('1000000000000', date '2001-09-09'),
    ('18991230000000', null),
    ('99991231000000', null),
    -- Impossible dates.
    ('2025-02-29', null),
    ('2025-02-30', null),
    ('2025-13-01', null),
    ('2025-00-10', null),
    ('31/04/2025', null),
    ('04/31/2025', null),
    ('20250230', null),
    ('Feb 30, 2025', null),
    ('32 Aug 2025', null),
    -- Two digits, five digits or other calendars for the year.
    ('25-08-04', null),
    ('04/08/25', null),
    ('4 Aug 25', null),
    ('0025-08-04', null),
    ('20250-1-05', null),
    ('20250/1/05', null),
    ('20250-01-05', null),
    ('12025-08-04', null),
    ('-2025-08-04', null),
    ('2025-08-04 (BC)', null),
    -- Cut off or followed by something.
    ('2025-08', null),
    ('2025', null),
    ('202584', null),
    ('2025105', null),
    ('2025105 ', null),
    (' 2025105' || chr(9), null),
    ('202508041', null),
    ('2025-08-04 garbage', null),
    ('2025-08-04 10:00 garbage', null),
    ('2025-08-04 25:00', null),
    ('2025-08-04 10:60', null),
    ('2025-08-04T', null),
    ('2025-08-04a', null),
    ('2025-8-4 1', null),
    ('2025-8-4 x', null),
    ('2025-8-4 Z', null),
    ('2025-8-4PM', null),
    ('2025-08/04', null),
    ('04/08-2025', null),
    ('4 Aug', null),
    ('Foo 4, 2025', null),
    -- No dates.
    ('infinity', null),
    ('-infinity', null),
    ('epoch', null),
    ('today', null),
    ('45873', null),
    ('N/A', null),
    ('unknown', null),
    ('-', null),
    ('  ', null),
    ('', null),
    (null, null),
    -- The calendar's edges.
    ((date '{{ var("calendar_start") }}')::varchar, date '{{ var("calendar_start") }}'),
    ((date '{{ var("calendar_end") }}')::varchar, date '{{ var("calendar_end") }}'),
    ((date '{{ var("calendar_start") }}' - 1)::varchar, null),
    ((date '{{ var("calendar_end") }}' + 1)::varchar, null),
    (strftime(date '{{ var("calendar_start") }}' - 1, '%Y/%m/%d'), null),
    (strftime(date '{{ var("calendar_end") }}' + 1, '%Y/%m/%d'), null),
    ('9999-12-31', null),
    ('1899-12-30', null)
),

ordered_cases (text, day_first, month_first) as (
    values
    ('04/08/2025', date '2025-08-04', date '2025-04-08'),
    ('4/8/2025', date '2025-08-04', date '2025-04-08'),
    ('04-08-2025', date '2025-08-04', date '2025-04-08'),
    ('04.08.2025', date '2025-08-04', date '2025-04-08'),
    ('04/08/2025 10:00', date '2025-08-04', date '2025-04-08'),
    ('31/08/2025', date '2025-08-31', null),
    ('08/31/2025', null, date '2025-08-31')
),

results as (
    select 'dmy' as date_order, text, expected, {{ parse_date('text', 'dmy') }} as result
    from cases
    union all
    select 'mdy' as date_order, text, expected, {{ parse_date('text', 'mdy') }} as result
    from cases
    union all
    select
        'dmy' as date_order, text, day_first as expected,
        {{ parse_date('text', 'dmy') }} as result
    from ordered_cases
    union all
    select
        'mdy' as date_order, text, month_first as expected,
        {{ parse_date('text', 'mdy') }} as result
    from ordered_cases
)

select * from results
where
    result is distinct from case
        when
            expected
            between date '{{ var("calendar_start") }}' and date '{{ var("calendar_end") }}'
            then expected
    end
