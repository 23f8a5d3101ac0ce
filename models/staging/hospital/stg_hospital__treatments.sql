{{ accepted(ref('base_hospital__patients_data_with_doctor')) }}
