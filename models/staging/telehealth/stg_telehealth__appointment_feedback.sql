{{ accepted(ref('base_telehealth__patient_feedback')) }}
