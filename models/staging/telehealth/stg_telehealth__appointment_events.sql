{{ accepted(ref('base_telehealth__appointment_events')) }}
