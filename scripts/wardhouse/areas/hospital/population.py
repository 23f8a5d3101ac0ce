"""The hospital behind the sample, before any dirt: doctors, patients, treatments and answers.

Every number is a function of seed, purpose and row number, and of integer or correctly rounded
arithmetic only, so that blocks, threads and machines cannot change a byte.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from wardhouse.synthetic.seeds import deal, draw, lanes

BLOCK_ROWS = 1 << 20
FIRST_DAY = np.datetime64("2023-07-01")
LAST_DAY = np.datetime64("2025-06-30")
# Treatments by specialty: name, sixteenths of the specialty's treatments, typical price, and
# sixteenths of them that come with a bed.
CATALOGUE = {
    "Cardiology": [
        ("Consultation", 5, 160, 0),
        ("ECG", 4, 220, 0),
        ("Echocardiogram", 4, 650, 1),
        ("Cardiac catheterisation", 3, 2600, 14),
    ],
    "Oncology": [
        ("Consultation", 3, 200, 0),
        ("Chemotherapy", 7, 1900, 4),
        ("Radiotherapy", 4, 1500, 1),
        ("PET scan", 2, 2100, 0),
    ],
    "Orthopaedic surgery": [
        ("Consultation", 5, 170, 0),
        ("X-ray", 4, 140, 0),
        ("Joint injection", 3, 380, 0),
        ("Knee arthroscopy", 4, 2800, 12),
    ],
    "General surgery": [
        ("Consultation", 6, 150, 0),
        ("Wound care", 4, 190, 2),
        ("Minor surgery", 3, 700, 1),
        ("Laparoscopic surgery", 3, 2700, 16),
    ],
    "Neurology": [
        ("Consultation", 6, 190, 0),
        ("EEG", 4, 420, 0),
        ("MRI scan", 4, 950, 1),
        ("Infusion therapy", 2, 1200, 3),
    ],
    "Radiology": [
        ("X-ray", 6, 120, 0),
        ("Ultrasound", 4, 210, 0),
        ("CT scan", 3, 620, 1),
        ("MRI scan", 3, 900, 1),
    ],
    "Internal medicine": [
        ("Consultation", 7, 130, 0),
        ("Blood panel", 5, 90, 0),
        ("Endoscopy", 2, 780, 2),
        ("Inpatient care", 2, 650, 16),
    ],
    "Paediatrics": [
        ("Consultation", 8, 110, 0),
        ("Vaccination", 4, 70, 0),
        ("Allergy test", 3, 160, 0),
        ("Inpatient care", 1, 600, 16),
    ],
    "Obstetrics and gynaecology": [
        ("Consultation", 7, 140, 0),
        ("Ultrasound", 6, 200, 0),
        ("Colposcopy", 2, 340, 0),
        ("Delivery", 1, 2600, 16),
    ],
    "Dermatology": [
        ("Consultation", 8, 120, 0),
        ("Phototherapy", 4, 190, 0),
        ("Skin biopsy", 2, 280, 0),
        ("Mole removal", 2, 350, 0),
    ],
    "Psychiatry": [
        ("Consultation", 4, 180, 0),
        ("Psychotherapy", 7, 150, 0),
        ("Group therapy", 4, 80, 0),
        ("Inpatient care", 1, 560, 16),
    ],
    "Rehabilitation": [
        ("Physiotherapy", 9, 85, 0),
        ("Occupational therapy", 3, 90, 0),
        ("Hydrotherapy", 3, 110, 0),
        ("Inpatient rehabilitation", 1, 480, 16),
    ],
}
SPECIALTIES = list(CATALOGUE)
HIGH_REVENUE_SPECIALTIES = 3  # the first of them: where planted doctors work
TYPES = [treatment for treatments in CATALOGUE.values() for treatment in treatments]
ORDINARY, LOW_FEEDBACK, HIGH_FEEDBACK = range(3)
PLANTS = ("ordinary", "low_feedback", "high_feedback")


@dataclass(frozen=True)
class Population:
    """n treatments of p patients by d doctors, and a survey answers. Rows are in order of time.

    Attributes
    ----------
    patient, doctor : numpy.ndarray, shape (n,), int32
        Row numbers of the treatment's patient and doctor.
    treatment_type : numpy.ndarray, shape (n,), uint8
        Row number in `TYPES`.
    treatment_cents, room_cents : numpy.ndarray, shape (n,), int32
        Prices in hundredths; the room is 0 for outpatients.
    day : numpy.ndarray, shape (n,), int16
        Days since `FIRST_DAY`.
    is_vip : numpy.ndarray, shape (p,), bool
        Planted VIPs.
    specialty, plant : numpy.ndarray, shape (d,), uint8
        Row numbers in `SPECIALTIES` and `PLANTS`.
    answered : numpy.ndarray, shape (a,), int64
        Treatment that a survey answer is about; at most one answer a treatment.
    score : numpy.ndarray, shape (a,), int8
        Tenths, 10 to 50.
    delay : numpy.ndarray, shape (a,), int16
        Days between treatment and answer.
    """

    patient: np.ndarray
    doctor: np.ndarray
    treatment_type: np.ndarray
    treatment_cents: np.ndarray
    room_cents: np.ndarray
    day: np.ndarray
    is_vip: np.ndarray
    specialty: np.ndarray
    plant: np.ndarray
    answered: np.ndarray
    score: np.ndarray
    delay: np.ndarray


def populate(treatments: int, seed: int) -> Population:
    """Make the hospital.

    Parameters
    ----------
    treatments : int
        How many, at least 1; four to a patient on average.
    seed : int

    Returns
    -------
    Population
    """
    n_patients = max(1, round(treatments / 4))
    n_doctors = max(5, round(50 * (treatments / 1000) ** 0.5))
    specialty, plant, quality = _doctors(n_doctors, seed)
    # In a random order, so that ids say nothing; the first of them are the VIPs.
    patients = np.argsort(draw(seed, "patient", n_patients), kind="stable").astype(np.int32)
    n_vips = round(0.08 * n_patients)
    is_vip = np.zeros(n_patients, bool)
    is_vip[patients[:n_vips]] = True
    family, second = _care(is_vip, plant, seed)

    patient = np.empty(treatments, np.int32)
    doctor = np.empty(treatments, np.int32)
    treatment_type = np.empty(treatments, np.uint8)
    treatment_cents = np.empty(treatments, np.int32)
    room_cents = np.empty(treatments, np.int32)
    day = np.empty(treatments, np.int16)
    # Every patient comes once; who fills the other rows is drawn.
    first_rows = np.arange(n_patients) * treatments // n_patients
    first_patients = np.argsort(draw(seed, "first visit", n_patients), kind="stable")
    daily = np.cumsum(_day_weights())

    for start in range(0, treatments, BLOCK_ROWS):
        rows = np.arange(start, min(start + BLOCK_ROWS, treatments))
        block = slice(start, start + len(rows))
        who = draw(seed, "who", rows)
        place = (who >> 32) / 2.0**32
        to_vip, to_second, _, _ = lanes(who)
        # A VIP comes about 14 times; others about 3 times, with a long tail.
        regular = n_vips + (place * (0.4 + 0.6 * place) * (n_patients - n_vips)).astype(np.int64)
        vip = (place * n_vips).astype(np.int64)
        own = patients[np.where((to_vip < 0.35 * 65536) & (n_vips > 0), vip, regular)]
        first = slice(*np.searchsorted(first_rows, [rows[0], rows[-1] + 1]))
        own[first_rows[first] - start] = first_patients[first]
        patient[block] = own
        doctor[block] = np.where(to_second < 0.3 * 65536, second[own], family[own])
        day[block] = np.searchsorted(daily, rows * daily[-1] // treatments, side="right")
        treatment_type[block], treatment_cents[block], room_cents[block] = _bill(
            specialty[doctor[block]], is_vip[own], draw(seed, "bill", rows), draw(seed, "bed", rows)
        )

    answered = _answered(patient, n_patients, seed)
    mood = lanes(draw(seed, "mood", n_patients))[0] * 11 >> 16
    noise, wait, _, _ = lanes(draw(seed, "answer", answered))
    asked = patient[answered]
    score = quality[family[asked]] + (mood[asked] - 5) + ((noise * 9 >> 16) - 4)
    return Population(
        patient=patient,
        doctor=doctor,
        treatment_type=treatment_type,
        treatment_cents=treatment_cents,
        room_cents=room_cents,
        day=day,
        is_vip=is_vip,
        specialty=specialty,
        plant=plant,
        answered=answered,
        score=np.clip(score, 10, 50).astype(np.int8),
        delay=(1 + (wait * 21 >> 16)).astype(np.int16),
    )


def _doctors(n_doctors: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each doctor a specialty, a plant and a quality (tenths of a score), shape (d,) each."""
    bits = draw(seed, "doctor", n_doctors)
    field, spread, _, _ = lanes(bits)
    n_planted = max(1, n_doctors // 16)
    order = np.argsort(bits, kind="stable")
    plant = np.full(n_doctors, ORDINARY, np.uint8)
    plant[order[:n_planted]] = LOW_FEEDBACK
    plant[order[n_planted : 2 * n_planted]] = HIGH_FEEDBACK
    n_fields = np.where(plant == ORDINARY, len(SPECIALTIES), HIGH_REVENUE_SPECIALTIES)
    quality = np.choose(plant, [31 + (spread * 11 >> 16), 20, 47])
    return (field * n_fields >> 16).astype(np.uint8), plant, quality


def _care(is_vip: np.ndarray, plant: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each patient a family doctor and a second one, shape (p,) each; often the same.

    Planted doctors have many patients and more than their part of the VIPs, and are nobody's
    second doctor: what their patients think of them is not mixed with anybody else's work.
    """
    n_patients = len(is_vip)
    busy = 50 + (lanes(draw(seed, "practice", len(plant)))[0] * 100 >> 16)
    ordinary = np.where(plant == ORDINARY, busy, 0)

    bits = draw(seed, "family doctor", n_patients)
    family = deal(np.where(plant == ORDINARY, busy, 300), bits)
    vips = np.flatnonzero(is_vip)
    planted = np.flatnonzero(plant != ORDINARY)
    family[vips] = deal(ordinary, bits[vips])
    # In turn rather than drawn, so that each planted doctor earns much in small samples too.
    chosen = vips[: round(0.6 * len(vips))]
    family[chosen] = planted[np.arange(len(chosen)) % len(planted)]
    bits = draw(seed, "second doctor", n_patients)
    has_second = lanes(bits)[0] < 0.4 * 65536
    return family, np.where(has_second, deal(ordinary, bits), family)


def _day_weights() -> np.ndarray:
    """Weigh the days: busy Mondays, quiet weekends and summers. Shape (days,), int64."""
    days = np.arange(FIRST_DAY, LAST_DAY + 1)
    weekday = (days.astype(np.int64) + 3) % 7  # the epoch was a Thursday
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    rhythm = np.array([12, 11, 10, 10, 9, 3, 2])
    season = np.array([11, 11, 11, 10, 10, 10, 8, 8, 10, 11, 11, 9])
    return rhythm[weekday] * season[month]


def _bill(
    specialty: np.ndarray, is_vip: np.ndarray, bill: np.ndarray, bed: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw treatment types and prices of treatment and room (hundredths), shape (n,) each.

    A price is the typical one times three uniform numbers of mean 1: skewed like a log-normal,
    without a logarithm that machines round differently.
    """
    sixteenths = [
        np.repeat(np.arange(len(names)), [name[1] for name in names])
        for names in CATALOGUE.values()
    ]
    *spread, slot = lanes(bill)
    kind = np.stack(sixteenths)[specialty, slot >> 12] + 4 * specialty.astype(np.int64)
    cents = np.array([100 * price for _, _, price, _ in TYPES])[kind] * np.where(is_vip, 2, 1)
    for factor in spread:
        cents = cents * (32768 + factor) >> 16
    bedded = np.array([beds for *_, beds in TYPES])[kind]
    has_bed, nights, rate, _ = lanes(bed)
    nights = np.where(is_vip, 2, 1) + (nights >> 14)
    # A VIP always takes a suite, at 600 to 1,000 a night; a bed costs 180 to 320.
    night_cents = np.where(is_vip, 60000 + (rate * 40000 >> 16), 18000 + (rate * 14000 >> 16))
    room_cents = np.where(is_vip | (has_bed >> 12 < bedded), nights * night_cents, 0)
    return kind, cents, room_cents


def _answered(patient: np.ndarray, n_patients: int, seed: int) -> np.ndarray:
    """Choose the treatments that patients answer about: 60 % of patients, 1 to 3 answers each."""
    visits = np.bincount(patient, minlength=n_patients)
    begins = np.cumsum(visits) - visits
    by_patient = np.argsort(patient, kind="stable")
    responds, wanted, first, _ = lanes(draw(seed, "survey", n_patients))
    n_answers = np.where(responds < 0.6 * 65536, np.minimum(1 + (wanted * 3 >> 16), visits), 0)
    first = first * visits >> 16
    rows = [by_patient[(begins + (first + turn) % visits)[n_answers > turn]] for turn in range(3)]
    return np.sort(np.concatenate(rows))
