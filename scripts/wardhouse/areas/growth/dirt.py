"""The kinds of dirt in growth's feeds: how much of each, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from wardhouse.synthetic.dirt import Shares, codes_of, declare_kind, kinds_of

ENCOUNTERS = "sg2_patient_flow"
OPPORTUNITIES = "salesforce_crm"
CLAIMS = "ehr_claims"
SUPPLIES = "inventory_usage"
FEEDS = (ENCOUNTERS, OPPORTUNITIES, CLAIMS, SUPPLIES)


@dataclass(frozen=True)
class GrowthDirt(Shares):
    """Share of a feed's records that bear each kind of dirt, as fractions in 0..1.

    A share above zero always means at least one record.
    """

    patient_missing: float = declare_kind(0.003, ENCOUNTERS, "rejected")
    provider_spelling: float = declare_kind(0.04, ENCOUNTERS)
    provider_typo: float = declare_kind(0.001, ENCOUNTERS)
    provider_missing: float = declare_kind(0.003, ENCOUNTERS)
    service_line_spelling: float = declare_kind(0.02, ENCOUNTERS)
    service_line_unlisted: float = declare_kind(0.002, ENCOUNTERS)
    payer_spelling: float = declare_kind(0.02, ENCOUNTERS)
    payer_hyphen: float = declare_kind(0.01, ENCOUNTERS)
    payer_blank: float = declare_kind(0.005, ENCOUNTERS)
    cost_blank: float = declare_kind(0.008, ENCOUNTERS)
    cost_currency: float = declare_kind(0.006, ENCOUNTERS)
    cost_thousands: float = declare_kind(0.006, ENCOUNTERS)
    cost_unreadable: float = declare_kind(0.003, ENCOUNTERS)
    cost_negative: float = declare_kind(0.002, ENCOUNTERS, "rejected")
    admission_unreadable: float = declare_kind(0.003, ENCOUNTERS, "rejected")
    date_slashes: float = declare_kind(0.004, ENCOUNTERS)
    date_month_name: float = declare_kind(0.004, ENCOUNTERS)
    discharge_before_admission: float = declare_kind(0.004, ENCOUNTERS)
    discharge_unreadable: float = declare_kind(0.003, ENCOUNTERS)
    discharge_open_in_words: float = declare_kind(0.001, ENCOUNTERS)
    stay_disputed: float = declare_kind(0.01, ENCOUNTERS)
    stay_blank: float = declare_kind(0.004, ENCOUNTERS)
    satisfaction_beyond: float = declare_kind(0.004, ENCOUNTERS)
    satisfaction_unreadable: float = declare_kind(0.002, ENCOUNTERS)
    satisfaction_blank: float = declare_kind(0.01, ENCOUNTERS)
    duplicate_exact: float = declare_kind(0.006, ENCOUNTERS, "accepted", copy="duplicate")
    crm_provider_spelling: float = declare_kind(0.05, OPPORTUNITIES)
    crm_stage_spelling: float = declare_kind(0.1, OPPORTUNITIES)
    crm_stage_unknown: float = declare_kind(0.03, OPPORTUNITIES, "rejected", copy="accepted")
    crm_exported_before: float = declare_kind(0.1, OPPORTUNITIES, "duplicate", copy="accepted")
    crm_value_currency: float = declare_kind(0.03, OPPORTUNITIES)
    crm_duplicate: float = declare_kind(0.03, OPPORTUNITIES, "accepted", copy="duplicate")
    claim_id_missing: float = declare_kind(0.004, CLAIMS)
    claim_patient_missing: float = declare_kind(0.003, CLAIMS, "rejected")
    claim_provider_spelling: float = declare_kind(0.03, CLAIMS)
    claim_overpaid: float = declare_kind(0.005, CLAIMS)
    claim_paid_while_denied: float = declare_kind(0.004, CLAIMS)
    claim_paid_while_pending: float = declare_kind(0.004, CLAIMS)
    claim_status_spelling: float = declare_kind(0.02, CLAIMS)
    claim_status_unknown: float = declare_kind(0.003, CLAIMS, "rejected")
    claim_negative: float = declare_kind(0.003, CLAIMS, "rejected")
    claim_amount_unreadable: float = declare_kind(0.002, CLAIMS, "rejected")
    claim_paid_unreadable: float = declare_kind(0.002, CLAIMS)
    claim_visit_unreadable: float = declare_kind(0.003, CLAIMS, "rejected")
    claim_duplicate: float = declare_kind(0.004, CLAIMS, "accepted", copy="duplicate")
    claim_conflicting: float = declare_kind(0.003, CLAIMS, "rejected", copy="rejected")
    supply_provider_spelling: float = declare_kind(0.04, SUPPLIES)
    supply_zero_usage: float = declare_kind(0.02, SUPPLIES)
    supply_negative: float = declare_kind(0.01, SUPPLIES, "rejected")
    supply_date_unreadable: float = declare_kind(0.01, SUPPLIES, "rejected")
    supply_duplicate: float = declare_kind(0.015, SUPPLIES, "accepted", copy="duplicate")


KINDS = kinds_of(GrowthDirt)
CODES = codes_of(KINDS)
