"""The dirt of the telehealth sample: which kinds there are, how much, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from wardhouse.synthetic.dirt import Shares, codes_of, declare_kind, kinds_of

APPOINTMENTS = "appointment_logs"
FEEDBACK = "patient_feedback"
PROVIDERS = "providers"
PATIENTS = "patients"
FEEDS = (APPOINTMENTS, FEEDBACK, PROVIDERS, PATIENTS)


@dataclass(frozen=True)
class TelehealthDirt(Shares):
    """Share of a feed's records that bear each kind of dirt, as fractions in 0..1.

    A share above zero always means at least one record.
    """

    id_spaces: float = declare_kind(0.004, APPOINTMENTS)
    id_lower_case: float = declare_kind(0.004, APPOINTMENTS)
    appointment_missing: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    provider_missing: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    patient_missing: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    provider_undescribed: float = declare_kind(0.001, APPOINTMENTS)
    patient_undescribed: float = declare_kind(0.001, APPOINTMENTS)
    date_slashes: float = declare_kind(0.004, APPOINTMENTS)
    date_day_first: float = declare_kind(0.004, APPOINTMENTS)
    date_month_name: float = declare_kind(0.004, APPOINTMENTS)
    date_missing: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    date_impossible: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    time_12_hours: float = declare_kind(0.004, APPOINTMENTS)
    time_missing: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    time_impossible: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    type_spelling: float = declare_kind(0.004, APPOINTMENTS)
    type_missing: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    type_unknown: float = declare_kind(0.001, APPOINTMENTS)
    status_spelling: float = declare_kind(0.008, APPOINTMENTS)
    status_missing: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    status_unknown: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    wait_nan: float = declare_kind(0.002, APPOINTMENTS)
    wait_unreadable: float = declare_kind(0.001, APPOINTMENTS)
    wait_negative: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    completed_without_wait: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    completed_without_duration: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    duration_negative: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    device_spelling: float = declare_kind(0.004, APPOINTMENTS)
    device_missing: float = declare_kind(0.001, APPOINTMENTS)
    device_unforeseen: float = declare_kind(0.001, APPOINTMENTS)
    quality_unknown: float = declare_kind(0.001, APPOINTMENTS)
    quality_missing: float = declare_kind(0.001, APPOINTMENTS)
    issues_words: float = declare_kind(0.004, APPOINTMENTS)
    issues_missing: float = declare_kind(0.001, APPOINTMENTS)
    timestamp_missing: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    timestamp_unreadable: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    duplicate_exact: float = declare_kind(0.003, APPOINTMENTS, "accepted", copy="duplicate")
    told_again: float = declare_kind(0.004, APPOINTMENTS, "duplicate", copy="accepted")
    told_late: float = declare_kind(0.002, APPOINTMENTS, "accepted", copy="duplicate")
    conflicting: float = declare_kind(0.001, APPOINTMENTS, "rejected", copy="rejected")
    columns_too_many: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    columns_too_few: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    bad_encoding: float = declare_kind(0.001, APPOINTMENTS, "rejected")
    feedback_id_missing: float = declare_kind(0.002, FEEDBACK, "rejected")
    feedback_appointment_missing: float = declare_kind(0.002, FEEDBACK, "rejected")
    feedback_appointment_unknown: float = declare_kind(0.002, FEEDBACK)
    feedback_rating_outside: float = declare_kind(0.004, FEEDBACK, "rejected")
    feedback_satisfaction_missing: float = declare_kind(0.002, FEEDBACK, "rejected")
    feedback_rating_in_words: float = declare_kind(0.002, FEEDBACK)
    feedback_rating_missing: float = declare_kind(0.004, FEEDBACK)
    feedback_recommend_words: float = declare_kind(0.004, FEEDBACK)
    feedback_date_missing: float = declare_kind(0.002, FEEDBACK, "rejected")
    feedback_timestamp_unreadable: float = declare_kind(0.002, FEEDBACK, "rejected")
    feedback_duplicate: float = declare_kind(0.004, FEEDBACK, "accepted", copy="duplicate")
    feedback_told_again: float = declare_kind(0.004, FEEDBACK, "duplicate", copy="accepted")
    feedback_conflicting: float = declare_kind(0.002, FEEDBACK, "rejected", copy="rejected")
    provider_duplicate: float = declare_kind(0.02, PROVIDERS, "accepted", copy="duplicate")
    provider_changed: float = declare_kind(0.02, PROVIDERS, "duplicate", copy="accepted")
    provider_rate_currency: float = declare_kind(0.02, PROVIDERS)
    provider_active_words: float = declare_kind(0.02, PROVIDERS)
    provider_id_missing: float = declare_kind(0.02, PROVIDERS, "rejected")
    patient_duplicate: float = declare_kind(0.005, PATIENTS, "accepted", copy="duplicate")
    patient_changed: float = declare_kind(0.005, PATIENTS, "duplicate", copy="accepted")
    patient_age_impossible: float = declare_kind(0.005, PATIENTS)
    patient_age_missing: float = declare_kind(0.005, PATIENTS)
    patient_insurance_words: float = declare_kind(0.01, PATIENTS)
    patient_id_missing: float = declare_kind(0.005, PATIENTS, "rejected")


KINDS = kinds_of(TelehealthDirt)
CODES = codes_of(KINDS)


EVENTS = "appointment_events"


@dataclass(frozen=True)
class AppointmentEventDirt(Shares):
    """Share of each kind of dirt among the events that can bear it, as fractions in 0..1.

    An event bears one kind at most. Conflicts need an identifier: older producers send none.
    """

    out_of_order: float = declare_kind(0.02, EVENTS)
    type_spelling: float = declare_kind(0.012, EVENTS)
    details_missing: float = declare_kind(0.004, EVENTS)
    details_unreadable: float = declare_kind(0.004, EVENTS)
    duplicate_exact: float = declare_kind(0.008, EVENTS, "accepted", copy="duplicate")
    duplicate_reformatted: float = declare_kind(0.003, EVENTS, "accepted", copy="duplicate")
    conflicting_newer: float = declare_kind(0.004, EVENTS, "duplicate", copy="accepted")
    conflicting_older: float = declare_kind(0.004, EVENTS, "accepted", copy="duplicate")
    conflicting_equal: float = declare_kind(0.003, EVENTS, "rejected", copy="rejected")
    appointment_missing: float = declare_kind(0.002, EVENTS, "rejected")
    type_missing: float = declare_kind(0.002, EVENTS, "rejected")
    type_unknown: float = declare_kind(0.002, EVENTS, "rejected")
    timestamp_missing: float = declare_kind(0.002, EVENTS, "rejected")
    timestamp_unreadable: float = declare_kind(0.002, EVENTS, "rejected")
    poison_text: float = declare_kind(0.002, EVENTS, "rejected")
    poison_truncated: float = declare_kind(0.002, EVENTS, "rejected")
    poison_array: float = declare_kind(0.002, EVENTS, "rejected")
    poison_bytes: float = declare_kind(0.002, EVENTS, "rejected")
