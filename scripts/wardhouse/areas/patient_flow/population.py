"""Hospitals as patient flow simulates them: departments, their rhythms, and what is planted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from wardhouse.synthetic.timeline import DAY


class Department(NamedTuple):
    """How a department lives.

    Attributes
    ----------
    name : str
    share : float
        Part of all admissions.
    hours : str
        24 digits, how many come at each hour of the day, relative to each other.
    weekdays : str
        7 digits from Monday.
    stay_hours, spread : float
        Median stay, and the standard deviation of its logarithm.
    wait_minutes : float
        Typical wait when the beds are as full as planned.
    """

    name: str
    share: float
    hours: str
    weekdays: str
    stay_hours: float
    spread: float
    wait_minutes: float


FLAT_DAY, FLAT_WEEK = "1" * 24, "1" * 7
DEPARTMENTS = [
    Department("Emergency", 0.34, "322222345677777788999864", "6555577", 6, 0.55, 24),
    Department("Surgery", 0.16, "111112588876554332211111", "9999821", 60, 0.5, 18),
    Department("Cardiology", 0.15, "111112357887666554332211", "8777744", 72, 0.5, 22),
    Department("Maternity", 0.13, FLAT_DAY, FLAT_WEEK, 48, 0.35, 14),
    Department("Pediatrics", 0.12, "222111234555666788876543", "7666655", 36, 0.5, 22),
    Department("Oncology", 0.10, "111111259998887532111111", "8888811", 96, 0.5, 22),
]
NAMES = [department.name for department in DEPARTMENTS]
ALIKE = [Department(name, 1 / 6, FLAT_DAY, FLAT_WEEK, 30, 0.5, 20) for name in NAMES]
BOTTLENECK = NAMES.index("Emergency")
BOTTLENECK_HOURS = range(14, 22)
BOTTLENECK_STAY, BOTTLENECK_WAIT = 3.0, 1.8  # times as long
SLOW = NAMES.index("Oncology")
SLOW_WAIT = 4.0
PLANNED_LOAD = 0.85  # of the beds in use on average
LOAD_EFFECT = 1.5  # the logarithm of a wait grows by so much when the load grows by 1
WAIT_SPREAD = 0.4
MOVE_SHARE = 0.12  # of the stays of at least MOVE_HOURS
MOVE_HOURS = 12
LONGEST_STAY = 14 * DAY
RETURN_SHARE = 0.4
SHUFFLE = 2654435761  # a prime, so that multiples of it meet every place of a block once
# Who comes: anybody, women of child-bearing age, children.
ADULTS, MOTHERS, CHILDREN = range(3)
VISITORS = np.array([{"Maternity": MOTHERS, "Pediatrics": CHILDREN}.get(n, ADULTS) for n in NAMES])
YOUNGEST, OLDEST = np.array([18, 17, 0]), np.array([95, 44, 15])


def weekly_rates(departments: list[Department]) -> np.ndarray:
    """Tell how many come to each department at each hour of the week, 1 an hour in all on average.

    Returns
    -------
    numpy.ndarray, shape (168, departments)
    """
    rates = []
    for department in departments:
        hours = np.array([int(digit) for digit in department.hours])
        week = np.outer([int(digit) for digit in department.weekdays], hours).ravel()
        rates.append(department.share * week / week.mean())
    return np.stack(rates, axis=1)


def stay_factors(is_uniform: bool) -> np.ndarray:
    """Tell how much longer people stay by hour of the week of admission: (168, departments)."""
    factors = np.ones((168, len(NAMES)))
    if not is_uniform:
        hours = np.isin(np.arange(168) % 24, BOTTLENECK_HOURS)
        factors[hours, BOTTLENECK] = BOTTLENECK_STAY
    return factors
