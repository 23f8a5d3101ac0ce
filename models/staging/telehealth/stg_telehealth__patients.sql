{{ accepted(ref('base_telehealth__patients')) }}
