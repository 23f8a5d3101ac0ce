-- Devices that nobody foresaw are inferred members, and what names no device is the unknown one.
with spellings as (
    select
        device_type,
        bool_and(is_mobile) as is_mobile
    from {{ ref('device_types') }}
    group by device_type
),

mentioned as (
    select device_type from {{ ref('fct_appointments') }}
    union
    select device_type from {{ ref('fct_appointment_events') }}
    where device_type is not null
    union
    select 'Unknown' as device_type
),

final as (
    select
        coalesce(spellings.device_type, mentioned.device_type) as device_type,
        spellings.is_mobile,
        spellings.device_type is null as is_inferred
    from spellings
    -- A device is in each side once.
    full outer join mentioned on spellings.device_type = mentioned.device_type
)

select * from final
