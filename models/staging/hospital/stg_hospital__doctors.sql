{{ accepted(ref('base_hospital__doctors_info')) }}
