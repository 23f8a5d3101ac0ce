{{ accepted(ref('base_telehealth__providers')) }}
