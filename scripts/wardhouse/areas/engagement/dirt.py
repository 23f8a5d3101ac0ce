"""The kinds of dirt in engagement's feed: how much of each, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from wardhouse.synthetic.dirt import Shares, codes_of, declare_kind, kinds_of

FEED = "healthcare_data"


@dataclass(frozen=True)
class EngagementDirt(Shares):
    """Share of the feed's records that bear each kind of dirt, as fractions in 0..1.

    A share above zero always means at least one record.
    """

    person_missing: float = declare_kind(0.001, FEED, "rejected")
    type_unknown: float = declare_kind(0.001, FEED, "rejected")
    type_blank: float = declare_kind(0.004, FEED)
    type_spelling: float = declare_kind(0.02, FEED)
    as_of_unreadable: float = declare_kind(0.001, FEED, "rejected")
    as_of_slashes: float = declare_kind(0.004, FEED)
    as_of_month_name: float = declare_kind(0.004, FEED)
    # Missing at random, missing together, missing because of another feature.
    satisfaction_blank: float = declare_kind(0.02, FEED)
    engagement_blank: float = declare_kind(0.004, FEED)
    procedures_and_referrals_blank: float = declare_kind(0.016, FEED)
    engagement_blank_at_low_adoption: float = declare_kind(0.016, FEED)
    satisfaction_beyond: float = declare_kind(0.003, FEED)
    satisfaction_unreadable: float = declare_kind(0.001, FEED)
    engagement_beyond: float = declare_kind(0.002, FEED)
    adoption_beyond: float = declare_kind(0.001, FEED)
    procedures_outlier: float = declare_kind(0.006, FEED)
    referrals_outlier: float = declare_kind(0.004, FEED)
    first_seen_unreadable: float = declare_kind(0.001, FEED)
    left_before_first_seen: float = declare_kind(0.0006, FEED)
    value_blank: float = declare_kind(0.006, FEED)
    value_currency: float = declare_kind(0.006, FEED)
    value_thousands: float = declare_kind(0.004, FEED)
    value_negative: float = declare_kind(0.001, FEED)
    consent_spelling: float = declare_kind(0.01, FEED)
    consent_unreadable: float = declare_kind(0.001, FEED)
    duplicate_exact: float = declare_kind(0.004, FEED, "accepted", copy="duplicate")
    record_changed: float = declare_kind(0.002, FEED, "duplicate", copy="accepted")


KINDS = kinds_of(EngagementDirt)
CODES = codes_of(KINDS)
