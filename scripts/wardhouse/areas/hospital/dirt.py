"""The kinds of dirt in the hospital's feeds: how much of each, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from wardhouse.synthetic.dirt import Shares, codes_of, declare_kind, kinds_of

TREATMENTS = "patients_data_with_doctor"
DOCTORS = "doctors_info"
FEEDBACK = "patient_feedback"
FEEDS = (TREATMENTS, DOCTORS, FEEDBACK)


@dataclass(frozen=True)
class Dirt(Shares):
    """Share of a feed's records that bear each kind of dirt, as fractions in 0..1.

    A share above zero always means at least one record.
    """

    id_spaces: float = declare_kind(0.005, TREATMENTS)
    id_lower_case: float = declare_kind(0.005, TREATMENTS)
    patient_missing: float = declare_kind(0.002, TREATMENTS, "rejected")
    doctor_missing: float = declare_kind(0.002, TREATMENTS, "rejected")
    doctor_undescribed: float = declare_kind(0.002, TREATMENTS)
    cost_currency: float = declare_kind(0.004, TREATMENTS)
    cost_thousands: float = declare_kind(0.004, TREATMENTS)
    cost_parentheses: float = declare_kind(0.002, TREATMENTS, "rejected")
    cost_negative: float = declare_kind(0.002, TREATMENTS, "rejected")
    cost_blank: float = declare_kind(0.004, TREATMENTS)
    cost_na: float = declare_kind(0.002, TREATMENTS)
    cost_dashes: float = declare_kind(0.002, TREATMENTS)
    cost_nan: float = declare_kind(0.002, TREATMENTS)
    cost_unreadable: float = declare_kind(0.002, TREATMENTS)
    date_slashes: float = declare_kind(0.004, TREATMENTS)
    date_day_first: float = declare_kind(0.004, TREATMENTS)
    date_month_name: float = declare_kind(0.004, TREATMENTS)
    date_day_month: float = declare_kind(0.004, TREATMENTS)
    date_timestamp: float = declare_kind(0.004, TREATMENTS)
    date_impossible: float = declare_kind(0.002, TREATMENTS)
    date_blank: float = declare_kind(0.002, TREATMENTS)
    duplicate_exact: float = declare_kind(0.004, TREATMENTS, "accepted", copy="duplicate")
    duplicate_reformatted: float = declare_kind(0.004, TREATMENTS, "accepted", copy="duplicate")
    conflicting: float = declare_kind(0.002, TREATMENTS, "rejected", copy="rejected")
    columns_too_many: float = declare_kind(0.001, TREATMENTS, "rejected")
    columns_too_few: float = declare_kind(0.001, TREATMENTS, "rejected")
    bad_encoding: float = declare_kind(0.001, TREATMENTS, "rejected")
    doctor_duplicate: float = declare_kind(0.02, DOCTORS, "accepted", copy="duplicate")
    doctor_changed: float = declare_kind(0.02, DOCTORS, "duplicate", copy="accepted")
    feedback_out_of_range: float = declare_kind(0.01, FEEDBACK, "rejected")
    feedback_score_missing: float = declare_kind(0.01, FEEDBACK, "rejected")
    feedback_score_text: float = declare_kind(0.01, FEEDBACK)
    feedback_patient_missing: float = declare_kind(0.005, FEEDBACK, "rejected")
    feedback_duplicate: float = declare_kind(0.01, FEEDBACK, "accepted", copy="duplicate")
    feedback_unidentified: float = declare_kind(0.005, FEEDBACK, "accepted", copy="accepted")
    feedback_date_impossible: float = declare_kind(0.005, FEEDBACK)


KINDS = kinds_of(Dirt)
CODES = codes_of(KINDS)
