{{ accepted(ref('base_patient_flow__patient_events')) }}
