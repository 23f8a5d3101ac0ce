"""The referrals behind the sample, before any dirt: encounters, claims, pipeline and supplies.

Every number is a function of seed, purpose and row number, and of integer arithmetic only, so that
threads and machines cannot change a byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from wardhouse.synthetic.seeds import deal, draw, lanes

FIRST_DAY = np.datetime64("2023-05-01")
LAST_DAY = np.datetime64("2025-06-30")
N_DAYS = int((LAST_DAY - FIRST_DAY).astype(int)) + 1
# What changes, changes a year and 100 days before the end.
SEGMENTS = np.array([0, N_DAYS - 365, N_DAYS - 100, N_DAYS])
STEADY_LINE, GROWING_LINE = (10, 10, 10), (10, 26, 26)
STEADY, LAPSED, DECLINING = (16, 16, 16), (16, 16, 0), (16, 16, 2)
# Roles, as places in a random order of the providers. The last one refers most.
DENIED, SHORT_OF_SUPPLY, WHO_LAPSED, WHO_DECLINES = range(4)
ROLE_WEIGHTS = (20, 12, 26, 42)
N_ROLES = len(ROLE_WEIGHTS)
# fmt: off
GIVEN = (
    "Amber", "Basil", "Coral", "Denim", "Ember", "Fern",
    "Garnet", "Hazel", "Indigo", "Jasper", "Kelp", "Lilac",
    "Moss", "Nutmeg", "Olive", "Pearl", "Quartz", "Ruby",
    "Sienna", "Topaz", "Umber", "Velvet", "Willow", "Zinc",
)
FAMILY = (
    "Hawthorn", "Lakeside", "Birchwood", "Stonefield", "Millbrook", "Oakridge",
    "Fairview", "Greenhill", "Westgate", "Ironwood", "Summerby", "Northfold",
    "Elmhurst", "Cedarvale", "Ridgeway", "Thornfield", "Ashgrove", "Clearwater",
    "Drybridge", "Pinecrest", "Underhill", "Kingsway", "Marshland", "Yarrow",
)
# fmt: on
SATISFACTION_FLOOR = 6000


class ServiceLine(NamedTuple):
    """A service line.

    Attributes
    ----------
    name, other_name : str
        The second is another spelling of the first.
    weight : int
        Of its encounters, before the year in which one grows.
    price, stay : int
        Typical cost and days.
    diagnoses, procedures : tuple of str
        Codes of ICD-10 and CPT.
    """

    name: str
    other_name: str
    weight: int
    price: int
    stay: int
    diagnoses: tuple[str, ...]
    procedures: tuple[str, ...]


LINES = (
    ServiceLine("Cardiology", "Cardiac", 20, 6200, 4, ("I10", "I25", "I48"), ("93000", "93306")),
    ServiceLine("Orthopedics", "ortho", 18, 7400, 4, ("M17", "S82", "M54"), ("27447", "29881")),
    ServiceLine("Surgical Oncology", "Surg Onc", 12, 9800, 6, ("C50", "C18"), ("19301", "44140")),
    ServiceLine("Urology", "urologic", 14, 4100, 2, ("N40", "N20"), ("52000", "52601")),
    ServiceLine("Diagnostic Imaging", "Radiology", 20, 1300, 0, ("R91", "R10"), ("71260", "74177")),
    ServiceLine(
        "Behavioral Health", "Mental Health", 12, 2900, 5, ("F32", "F41"), ("90834", "90837")
    ),
)
GROWS = 3  # Urology
PAYERS = ("Medicare", "Medicaid", "Commercial", "Self-Pay")
PAYER_WEIGHTS = (34, 20, 34, 12)
STATUSES = PAID, REFUSED, WAITING = range(3)
STATUS_NAMES = ("Paid", "Denied", "Pending")
DENIAL_SHARE, DENIAL_SHARE_PLANTED, PENDING_SHARE = 8, 30, 10  # in 100
STAGES = ("Prospecting", "Qualification", "Proposal", "Negotiation", "Closed Won", "Closed Lost")
STAGE_SPELLINGS = (
    "Prospect",
    "qualified",
    "Proposal/Price Quote",
    "NEGOTIATING",
    "closed-won",
    "Lost",
)
STAGE_WEIGHTS = (2, 2, 3, 3, 4, 1)
WON, LOST = STAGES.index("Closed Won"), STAGES.index("Closed Lost")
CENTS_PER_PATIENT = 180_000  # what the CRM hopes for
ITEMS = ("Infusion Set", "Contrast Agent", "Surgical Gloves", "Stent Kit", "Suture Pack")
WEEKS = 4
RUNS_OUT = 0  # the first pair of provider and item


@dataclass(frozen=True)
class Population:
    """n encounters by p providers, m claims, r rows of the CRM and s counts of supplies.

    Attributes
    ----------
    names : list of tuple of str, length p
        Given and family name of each provider.
    order : numpy.ndarray, shape (p,), int64
        Providers by role.
    provider, line, patient, payer, day, stay, cost_cents, satisfaction : numpy.ndarray, shape (n,)
        Of each encounter, in order of time: row numbers, days since `FIRST_DAY`, days, hundredths.
    claim_encounter, visit, diagnosis, procedure, status, claim_cents, paid_cents : numpy.ndarray
        Of each claim, shape (m,): the encounter that it is for, and the like.
    crm : dict of str to numpy.ndarray, shape (r,)
        provider, account, stage, contacts, value_cents, deals_cents, marketing_cents.
    supplies : dict of str to numpy.ndarray, shape (s,)
        provider, item, pair (of the two), day, quantity, usage, reorder.
    """

    names: list[tuple[str, str]]
    order: np.ndarray
    provider: np.ndarray
    line: np.ndarray
    patient: np.ndarray
    payer: np.ndarray
    day: np.ndarray
    stay: np.ndarray
    cost_cents: np.ndarray
    satisfaction: np.ndarray
    claim_encounter: np.ndarray
    visit: np.ndarray
    diagnosis: np.ndarray
    procedure: np.ndarray
    status: np.ndarray
    claim_cents: np.ndarray
    paid_cents: np.ndarray
    crm: dict[str, np.ndarray]
    supplies: dict[str, np.ndarray]

    @property
    def is_open(self) -> np.ndarray:
        """Whether the patient of an encounter is still there on the last day, shape (n,)."""
        return self.day + self.stay >= N_DAYS

    def name_of(self, role: int) -> str:
        """Give the name of who has a role."""
        return "Dr. " + " ".join(self.names[self.order[role]])

    def n_patients_of(self) -> np.ndarray:
        """Count the patients of each provider, shape (p,)."""
        pairs = np.unique(self.provider * (self.patient.max() + 1) + self.patient)
        return np.bincount(pairs // (self.patient.max() + 1), minlength=len(self.names))


def populate(encounters: int, seed: int) -> Population:
    """Make the referrals.

    Parameters
    ----------
    encounters : int
        How many, at least 1; twelve providers at least, and more of them with more encounters.
    seed : int

    Returns
    -------
    Population
    """
    n_providers = max(12, round(12 * (encounters / 900) ** 0.5))
    order = np.argsort(draw(seed, "role", n_providers), kind="stable")
    referrals = _referrals(encounters, order, seed)
    population = (
        {"names": _names(n_providers), "order": order} | referrals | _claims(referrals, order, seed)
    )
    without_crm = Population(**population, crm={}, supplies={})
    return Population(
        **population,
        crm=_pipeline(without_crm.n_patients_of(), seed),
        supplies=_supplies(encounters, order, seed),
    )


def _names(n: int) -> list[tuple[str, str]]:
    """Name providers by words. Two who are not the same are a letter apart."""
    size = len(GIVEN)
    names = []
    for row in range(n):
        block, place = divmod(row, size)
        family = FAMILY[(place + block) % size]
        # From the second square on a letter stands between.
        initial = f" {chr(64 + block // size)}" if block >= size else ""
        names.append((GIVEN[place] + initial, family))
    return [names[0], (names[0][0], names[0][1] + "e"), *names[2:]]


def _referrals(n: int, order: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Draw the encounters, in order of time."""
    weights = np.empty(len(order), np.int64)
    others = np.arange(len(order) - N_ROLES)
    weights[order] = [*ROLE_WEIGHTS, *(6 + 34 * (others + 1) // len(others))]
    provider = deal(weights, draw(seed, "provider", n))
    line = deal([each.weight for each in LINES], draw(seed, "service line", n))
    day = _days(provider, line, order, draw(seed, "day", n))
    by_day = np.argsort(day, kind="stable")
    provider, line, day = provider[by_day], line[by_day], day[by_day]
    n_patients = max(1, n * 4 // 5)
    patient = ((draw(seed, "patient", n) >> 32) * np.uint64(n_patients) >> 32).astype(np.int64)
    typical = np.array([each.stay for each in LINES])[line]
    long, longer, *_ = lanes(draw(seed, "stay", n))
    stay = (long * (typical + 1) >> 16) + (longer * (typical + 1) >> 16)
    # Somebody is still there.
    day[-1], stay[-1] = N_DAYS - 1, max(1, stay[-1])
    cents = np.array([100 * each.price for each in LINES])[line]
    *factors, first, second = [*lanes(draw(seed, "cost", n))[:2], *lanes(draw(seed, "mood", n))[:2]]
    for factor in factors:
        cents = cents * (32768 + factor) >> 16
    return {
        "provider": provider,
        "line": line,
        "patient": patient,
        "payer": deal(PAYER_WEIGHTS, draw(seed, "payer", n_patients))[patient],
        "day": day,
        "stay": stay,
        "cost_cents": cents,
        "satisfaction": SATISFACTION_FLOOR + (first * 2001 >> 16) + (second * 2000 >> 16),
    }


def _days(
    provider: np.ndarray, line: np.ndarray, order: np.ndarray, bits: np.ndarray
) -> np.ndarray:
    """Draw days of admission, shape (n,): one service line grows, two referrers send fewer."""
    of_line = np.array([STEADY_LINE] * len(LINES))
    of_line[GROWS] = GROWING_LINE
    of_provider = np.array([STEADY] * len(order))
    of_provider[order[WHO_LAPSED]] = LAPSED
    of_provider[order[WHO_DECLINES]] = DECLINING
    density = of_line[line] * of_provider[provider]
    ends = np.cumsum(density * np.diff(SEGMENTS), axis=1)
    place = ((bits >> 32) * ends[:, -1].astype(np.uint64) >> 32).astype(np.int64)
    segment = (place[:, None] >= ends[:, :-1]).sum(axis=1)
    rows = np.arange(len(place))
    before = np.where(segment > 0, ends[rows, segment - 1], 0)
    return SEGMENTS[segment] + (place - before) // density[rows, segment]


def _claims(
    referrals: dict[str, np.ndarray], order: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Draw four claims for three encounters."""
    n = len(referrals["day"])
    n_claims = max(1, n * 4 // 3)
    encounter = np.arange(n_claims) * n // n_claims
    line = referrals["line"][encounter]
    luck, part, paid, later = lanes(draw(seed, "claim", n_claims))
    what, how, *_ = lanes(draw(seed, "codes", n_claims))
    is_planted = referrals["provider"][encounter] == order[DENIED]
    denied = np.where(is_planted, DENIAL_SHARE_PLANTED, DENIAL_SHARE)
    luck = luck * 100 >> 16
    status = np.where(
        luck < denied, REFUSED, np.where(luck < denied + PENDING_SHARE, WAITING, PAID)
    )
    claim_cents = referrals["cost_cents"][encounter] * (32768 + (part >> 1)) >> 16
    n_diagnoses = np.array([len(each.diagnoses) for each in LINES])
    n_procedures = np.array([len(each.procedures) for each in LINES])
    return {
        "claim_encounter": encounter,
        "visit": referrals["day"][encounter] + (later * (referrals["stay"][encounter] + 1) >> 16),
        "diagnosis": what * n_diagnoses[line] >> 16,
        "procedure": how * n_procedures[line] >> 16,
        "status": status,
        "claim_cents": claim_cents,
        "paid_cents": np.where(
            status == PAID, claim_cents * (52429 + paid * 13107 // 65536) >> 16, 0
        ),
    }


def _pipeline(n_patients_of: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Draw the CRM's rows: what is hoped for depends on the patients, nearly alone."""
    n = len(n_patients_of)
    noise, contacts, *_ = lanes(draw(seed, "hope", n))
    value_cents = n_patients_of * CENTS_PER_PATIENT * (60293 + (noise * 10486 >> 16)) >> 16
    contacts = 4 + (contacts * 30 >> 16)
    has_second = np.zeros(n, bool)
    has_second[np.argsort(draw(seed, "account", n), kind="stable")[: n // 4]] = True
    provider = np.concatenate([np.arange(n), np.flatnonzero(has_second)])
    account = np.arange(len(provider))
    # A second account has two fifths of what the provider is worth.
    part = np.where(has_second[provider], np.where(account >= n, 2, 3), 5)
    value_cents = value_cents[provider] * part // 5
    stage = deal(STAGE_WEIGHTS, draw(seed, "stage", len(account)))
    done, spent, *_ = lanes(draw(seed, "deal", len(account)))
    # In 100: won deals bring nearly all, lost ones nothing, the others a beginning.
    share = np.where(stage == WON, 92, np.where(stage == LOST, 0, 15 + (done * 25 >> 16)))
    return {
        "provider": provider,
        "account": account,
        "stage": stage,
        "contacts": contacts[provider] * part // 5,
        "value_cents": value_cents,
        "deals_cents": value_cents * share // 100,
        "marketing_cents": value_cents * (2 + (spent * 6 >> 16)) // 100,
    }


def _supplies(n: int, order: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Draw weekly counts of pairs of provider and item; one of them runs out."""
    n_providers = len(order)
    n_pairs = min(len(ITEMS) * n_providers, max(15, n // 60))
    pair = np.repeat(np.arange(n_pairs), WEEKS)
    weeks_left = np.tile(np.arange(WEEKS)[::-1], n_pairs)
    use, cover, *_ = lanes(draw(seed, "supply", n_pairs))
    usage = 2 + (use * 6 >> 16)
    days = np.where(np.arange(n_pairs) == RUNS_OUT, 2, 12 + (cover * 24 >> 16))
    return {
        "provider": order[(pair + SHORT_OF_SUPPLY) % n_providers],
        "item": (pair // n_providers + pair % n_providers) % len(ITEMS),
        "pair": pair,
        "day": N_DAYS - 1 - 7 * weeks_left,
        "quantity": usage[pair] * (days[pair] + 7 * weeks_left),
        "usage": usage[pair],
        "reorder": 7 * usage[pair],
    }
