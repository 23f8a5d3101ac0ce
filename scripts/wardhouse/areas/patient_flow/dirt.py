"""Dirt in the events of patient flow."""

from __future__ import annotations

from dataclasses import dataclass

from wardhouse.synthetic.dirt import Shares, codes_of, declare_kind, kinds_of

FEED = "patient_events"


@dataclass(frozen=True)
class PatientFlowDirt(Shares):
    """Share of each kind of dirt among the events that can bear it, as fractions in 0..1.

    An event bears one kind at most. Conflicts need an identifier and an admission in the future
    an event time: older producers send neither.
    """

    age_outside: float = declare_kind(0.012, FEED)
    discharge_before_admission: float = declare_kind(0.02, FEED)
    admission_in_future: float = declare_kind(0.01, FEED)
    out_of_order: float = declare_kind(0.02, FEED)
    department_spelling: float = declare_kind(0.012, FEED)
    gender_spelling: float = declare_kind(0.012, FEED)
    gender_missing: float = declare_kind(0.004, FEED)
    duplicate_exact: float = declare_kind(0.008, FEED, "accepted", copy="duplicate")
    duplicate_reformatted: float = declare_kind(0.003, FEED, "accepted", copy="duplicate")
    conflicting_newer: float = declare_kind(0.004, FEED, "duplicate", copy="accepted")
    conflicting_older: float = declare_kind(0.004, FEED, "accepted", copy="duplicate")
    conflicting_equal: float = declare_kind(0.003, FEED, "rejected", copy="rejected")
    patient_missing: float = declare_kind(0.002, FEED, "rejected")
    hospital_missing: float = declare_kind(0.002, FEED, "rejected")
    department_missing: float = declare_kind(0.002, FEED, "rejected")
    admission_missing: float = declare_kind(0.002, FEED, "rejected")
    admission_unreadable: float = declare_kind(0.002, FEED, "rejected")
    poison_text: float = declare_kind(0.002, FEED, "rejected")
    poison_truncated: float = declare_kind(0.002, FEED, "rejected")
    poison_array: float = declare_kind(0.002, FEED, "rejected")
    poison_bytes: float = declare_kind(0.002, FEED, "rejected")


KINDS = kinds_of(PatientFlowDirt)
CODES = codes_of(KINDS)
DEFAULT_DIRT = PatientFlowDirt()
