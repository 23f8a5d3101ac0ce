"""The telehealth platform behind the sample, before any dirt: who met whom, and how it went.

Every number is a function of seed, purpose and row number, and of integer arithmetic only, so that
blocks, threads and machines cannot change a byte.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from wardhouse.synthetic.seeds import draw, lanes

FIRST_DAY = np.datetime64("2024-07-01")
LAST_DAY = np.datetime64("2025-06-30")
SPECIALTIES = [
    *("Cardiology", "Dermatology", "Family Medicine", "Internal Medicine"),
    *("Neurology", "Pediatrics", "Psychiatry", "Urology"),
]
BELOVED = SPECIALTIES.index("Dermatology")  # planted: patients are happier there
SLOW = SPECIALTIES.index("Psychiatry")  # planted: visits take longer there
TYPES = [
    # Name and typical minutes.
    ("Initial Consultation", 38),
    ("Follow-up", 22),
    ("Urgent Care", 26),
    ("Medication Review", 16),
    ("Specialist Referral", 32),
]
STATUSES = ["Completed", "Cancelled", "Rescheduled", "No-show"]
COMPLETED, CANCELLED, RESCHEDULED, NO_SHOW = range(4)
DEVICES = ["Desktop", "Laptop", "Tablet", "Mobile Phone"]
FAULTY = DEVICES.index("Tablet")  # planted: more technical trouble
FAST = DEVICES.index("Desktop")  # planted: shorter waits
SYSTEMS = ["Windows", "macOS", "Linux", "iOS", "Android"]
BROWSERS = ["Chrome", "Safari", "Edge", "Firefox"]
QUALITIES = ["Excellent", "Good", "Fair", "Poor", "Very Poor"]
ISSUES = [
    *("Connection Lost", "App Crash", "Browser Compatibility"),
    *("Login Issues", "Audio Problems", "Video Problems"),
]
GENDERS = ["Female", "Male", "Other"]
STATES = ["AZ", "CA", "CO", "FL", "IL", "MA", "NY", "OH", "OR", "PA", "TX", "WA"]
WEEKDAYS = np.array([12, 11, 10, 10, 9, 3, 2])  # appointments of a day from Monday, relatively
EVENING_SLOT = 36  # 17:00, in quarters of an hour from 08:00
SLOTS = 48


@dataclass(frozen=True)
class Platform:
    """n appointments of p patients with d providers, and f answers. Rows are in order of time.

    Attributes
    ----------
    specialty, experience, hours, licence : numpy.ndarray, shape (d,)
        Row number in `SPECIALTIES`, years, weekly hours, row number in `STATES`.
    rate_cents : numpy.ndarray, shape (d,)
        Price of an hour in hundredths.
    is_active : numpy.ndarray, shape (d,), bool
    age, gender, registered : numpy.ndarray, shape (p,)
        Years, row number in `GENDERS`, days since `FIRST_DAY` (negative before it).
    is_insured, is_unreliable : numpy.ndarray, shape (p,), bool
        Unreliable patients are planted: they miss more appointments.
    patient, provider, day, slot, type_code, status, device, system, browser, quality, issue :
        numpy.ndarray, shape (n,)
        Row numbers; day since `FIRST_DAY`; slot in quarters of an hour from 08:00; issue from 1,
        0 for none.
    wait, duration : numpy.ndarray, shape (n,)
        Minutes; -1 where none is recorded.
    risk, expected : numpy.ndarray, shape (n,)
        The truth: chance of a no-show in per cent, and minutes that a visit takes on average.
    answered : numpy.ndarray, shape (f,)
        Appointment that an answer is about.
    ratings : numpy.ndarray, shape (5, f)
        Provider, ease of use, audio, video, overall: 1 to 5.
    is_recommended : numpy.ndarray, shape (f,), bool
    delay, comment : numpy.ndarray, shape (f,)
        Days from visit to answer; which of the comments, 0 for none.
    """

    specialty: np.ndarray
    experience: np.ndarray
    hours: np.ndarray
    licence: np.ndarray
    rate_cents: np.ndarray
    is_active: np.ndarray
    age: np.ndarray
    gender: np.ndarray
    registered: np.ndarray
    is_insured: np.ndarray
    is_unreliable: np.ndarray
    patient: np.ndarray
    provider: np.ndarray
    day: np.ndarray
    slot: np.ndarray
    type_code: np.ndarray
    status: np.ndarray
    device: np.ndarray
    system: np.ndarray
    browser: np.ndarray
    quality: np.ndarray
    issue: np.ndarray
    wait: np.ndarray
    duration: np.ndarray
    risk: np.ndarray
    expected: np.ndarray
    answered: np.ndarray
    ratings: np.ndarray
    is_recommended: np.ndarray
    delay: np.ndarray
    comment: np.ndarray


def populate(appointments: int, seed: int) -> Platform:
    """Make the platform.

    Parameters
    ----------
    appointments : int
        How many, at least 1; four to a patient on average.
    seed : int

    Returns
    -------
    Platform
    """
    providers = describe_providers(
        max(len(SPECIALTIES), round(24 * (appointments / 600) ** 0.5)), seed
    )
    patients = describe_patients(max(1, round(appointments / 4)), seed)
    booked = _bookings(appointments, providers, patients, seed)
    went = visits(np.arange(appointments), booked, providers, patients, seed)
    said = _answers(booked | went, providers, seed)
    return Platform(**providers, **patients, **booked, **went, **said)


def _pick(lane: np.ndarray, n: int) -> np.ndarray:
    """Turn numbers of 16 bits into row numbers below n."""
    return lane * n >> 16


def _percent(lane: np.ndarray) -> np.ndarray:
    return _pick(lane, 100)


def describe_providers(n: int, seed: int) -> dict[str, np.ndarray]:
    """Describe the providers; every specialty has its part of them."""
    bits = draw(seed, "provider", n)
    years, hours, price, place = lanes(bits)
    order = np.argsort(bits, kind="stable")
    specialty = np.empty(n, np.int64)
    specialty[order] = np.arange(n) % len(SPECIALTIES)
    return {
        "specialty": specialty,
        "experience": 1 + _pick(years, 30),
        "hours": 20 + _pick(hours, 21),
        "licence": _pick(place, len(STATES)),
        "rate_cents": 11_000 + _pick(price, 39_000),
        "is_active": _percent(lanes(draw(seed, "active", n))[0]) < 90,
    }


def describe_patients(n: int, seed: int) -> dict[str, np.ndarray]:
    """Describe the patients: aged 12 to 89, one in four uninsured, one in ten unreliable."""
    first, second, gender, insured = lanes(draw(seed, "patient", n))
    reliable, registered, _, _ = lanes(draw(seed, "habits", n))
    return {
        "age": 12 + _pick(first, 39) + _pick(second, 40),
        "gender": _pick(gender * gender >> 16, len(GENDERS)),
        "registered": _pick(registered, 365) - 365,
        "is_insured": _percent(insured) >= 25,
        "is_unreliable": _percent(reliable) < 10,
    }


def _bookings(
    n: int, providers: dict[str, np.ndarray], patients: dict[str, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """Book appointments, and tell the chance that each is missed: all of it known at booking."""
    n_patients = len(patients["age"])
    rows = np.arange(n)
    # There may be more patients than 16 bits can tell apart.
    patient = (draw(seed, "who", n) >> np.uint64(32)) * np.uint64(n_patients) >> np.uint64(32)
    patient = patient.astype(np.int64)
    # Every patient comes once.
    first_rows = np.arange(n_patients) * n // n_patients
    patient[first_rows] = np.argsort(draw(seed, "first visit", n_patients), kind="stable")
    slot = _pick(lanes(draw(seed, "when", rows))[0], SLOTS)
    daily = np.cumsum(_day_weights())
    return {
        "day": np.searchsorted(daily, rows * daily[-1] // n, side="right"),
        **book(rows, patient, slot, providers, patients, seed),
    }


def book(
    rows: np.ndarray,
    patient: np.ndarray,
    slot: np.ndarray,
    providers: dict[str, np.ndarray],
    patients: dict[str, np.ndarray],
    seed: int,
) -> dict[str, np.ndarray]:
    """Say with whom, for what and on which device n patients book an appointment.

    Parameters
    ----------
    rows : numpy.ndarray, shape (n,)
        Row numbers of the appointments.
    patient, slot : numpy.ndarray, shape (n,)
        Row number of the patient, and quarter of an hour from 08:00.
    providers, patients : dict of str to numpy.ndarray
        As `describe_providers` and `describe_patients` give them.
    seed : int

    Returns
    -------
    dict of str to numpy.ndarray, shape (n,)
        Attributes of `Platform` that are known at booking, without the day.
    """
    n_patients, n_providers = len(patients["age"]), len(providers["specialty"])
    family = _pick(lanes(draw(seed, "family provider", n_patients))[0], n_providers)
    habit = _pick(lanes(draw(seed, "device", n_patients))[0], len(DEVICES))
    loyal, other, usual, another = lanes(draw(seed, "with whom", rows))
    _, kind, system, browser = lanes(draw(seed, "when", rows))
    device = np.where(_percent(usual) < 80, habit[patient], _pick(another, len(DEVICES)))
    age = patients["age"][patient]
    risk = (
        2
        + 16 * ~patients["is_insured"][patient]
        + 12 * ((age >= 18) & (age < 35))
        + 8 * (slot >= EVENING_SLOT)
        + 28 * patients["is_unreliable"][patient]
    )
    return {
        "patient": patient,
        "provider": np.where(_percent(loyal) < 60, family[patient], _pick(other, n_providers)),
        "slot": slot,
        "type_code": _pick(kind, len(TYPES)),
        "device": device,
        "system": np.where(device < 2, _pick(system, 3), 3 + _pick(system, 2)),
        "browser": _pick(browser, len(BROWSERS)),
        "risk": risk,
    }


def _day_weights() -> np.ndarray:
    """Weigh the days: busy Mondays, quiet weekends. Shape (days,), int64."""
    days = np.arange(FIRST_DAY, LAST_DAY + 1)
    weekday = (days.astype(np.int64) + 3) % 7  # the epoch was a Thursday
    return WEEKDAYS[weekday]


def visits(
    rows: np.ndarray,
    booked: dict[str, np.ndarray],
    providers: dict[str, np.ndarray],
    patients: dict[str, np.ndarray],
    seed: int,
) -> dict[str, np.ndarray]:
    """Tell what became of appointments with these row numbers, booked as `book` says."""
    missed, called_off, connection, trouble = lanes(draw(seed, "visit", rows))
    which, wait, length, noted = lanes(draw(seed, "course", rows))
    device = booked["device"]
    called_off = _percent(called_off)
    status = np.select(
        [_percent(missed) < booked["risk"], called_off < 9, called_off < 17],
        [NO_SHOW, CANCELLED, RESCHEDULED],
        COMPLETED,
    )
    quality = np.searchsorted([30, 60, 80, 95], _percent(connection), side="right")
    has_issue = _percent(trouble) < 8 + 24 * (device == FAULTY) + 6 * (quality >= 3)
    expected = (
        np.array([minutes for _, minutes in TYPES])[booked["type_code"]]
        + 10 * (providers["specialty"][booked["provider"]] == SLOW)
        + 6 * (patients["age"][booked["patient"]] >= 65)
    )
    duration = expected + _pick(length, 13) - 6
    wait = np.where(device == FAST, 2, 7) + _pick(wait, 15)
    was_held = status == COMPLETED
    # Some who call off have waited before.
    waited = was_held | ((status != NO_SHOW) & (_percent(noted) < 30))
    return {
        "status": status,
        "quality": quality,
        "issue": np.where(has_issue, 1 + _pick(which, len(ISSUES)), 0),
        "wait": np.where(waited, wait, -1),
        "duration": np.where(was_held, duration, -1),
        "expected": expected,
    }


def _answers(
    visits: dict[str, np.ndarray], providers: dict[str, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """Let three of four patients say how the visit was."""
    was_held = visits["status"] == COMPLETED
    asked = _percent(lanes(draw(seed, "asked", len(was_held)))[0]) < 75
    answered = np.flatnonzero(was_held & asked)
    overall, doctor, ease, sound = lanes(draw(seed, "answer", answered))
    picture, delay, comment, recommend = lanes(draw(seed, "words", answered))
    love = providers["specialty"][visits["provider"][answered]] == BELOVED
    trouble = visits["issue"][answered] > 0
    quality = visits["quality"][answered]
    impatient = visits["wait"][answered] >= 17

    def rating(base: np.ndarray, lane: np.ndarray) -> np.ndarray:
        return np.clip(base + _pick(lane, 3) - 1, 1, 5)

    heard = 4 - (quality >= 2) - (quality >= 4) - trouble
    ratings = np.stack(
        [
            rating(3 + love, doctor),
            rating(3 - trouble, ease),
            rating(heard, sound),
            rating(heard, picture),
            rating(3 + love - 2 * trouble + (quality == 0) - (quality >= 3) - impatient, overall),
        ]
    )
    mood = np.clip(ratings[4], 2, 4) - 2  # 0 unhappy, 1 neither, 2 happy
    spoke = _percent(comment) < 65
    return {
        "answered": answered,
        "ratings": ratings,
        "is_recommended": ratings[4] + _pick(recommend, 2) >= 4,
        "delay": _pick(delay, 6),
        "comment": np.where(spoke, 1 + 3 * mood + comment % 3, 0),
    }
