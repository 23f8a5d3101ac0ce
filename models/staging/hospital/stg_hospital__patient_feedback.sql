{{ accepted(ref('base_hospital__patient_feedback')) }}
