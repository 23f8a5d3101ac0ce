"""A deterministic, believable, dirty sample of engagement's feed, with the truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.areas.engagement.dirt import CODES, FEED, EngagementDirt
from wardhouse.synthetic.dirt import soil, turns, with_shares
from wardhouse.synthetic.seeds import DEFAULT_SEED
from wardhouse.synthetic.truth import TRUTH_ROWS, SampleSummary, write_expected, write_rows
from wardhouse.synthetic.writer import cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from wardhouse.areas.engagement.population import Population
    from wardhouse.synthetic.dirt import Soiled

    Block = dict[str, np.ndarray]

DEFAULT_DIRT = EngagementDirt()
PEOPLE, GROUPS, DATES = 850, 5, 4
HEADER = (
    "person_id,person_type,as_of_date,satisfaction_score,engagement_level,procedure_frequency,"
    "referral_rate,technology_adoption,first_seen_date,left_date,annual_value,marketing_consent,"
    "age_years,distance_km\n"
)
LOW_ADOPTION = 30  # tenths


def generate_engagement(
    out_dir: Path,
    people: int = PEOPLE,
    groups: int = GROUPS,
    seed: int = DEFAULT_SEED,
    dirt: EngagementDirt = DEFAULT_DIRT,
    truth_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    dates: int = DATES,
) -> SampleSummary:
    """Write engagement's feed and the truth about it.

    The same arguments give the same bytes. An earlier sample in the same place is overwritten.

    Parameters
    ----------
    out_dir : pathlib.Path
        Raw directory; the feed goes to its folder `engagement`.
    people : int
        Patients and physicians, 12 to 5, each with up to four records.
    groups : int
        5 planted groups of either type, or 0 for one cloud without any.
    seed : int
    dirt : EngagementDirt
        Shares of dirt; `EngagementDirt().scaled(0)` gives clean data.
    truth_dir : pathlib.Path, optional
        The truth goes to its folder `engagement`; `out_dir / "truth"` by default.
    progress : callable, optional
        Called with the records written so far and the records there will be.
    dates : int
        How many of the newest of the four dates are written.

    Returns
    -------
    SampleSummary

    Raises
    ------
    ValueError
        If people are below 1, groups are neither 5 nor 0, or the dirt wants more records than
        there are.
    """
    if people < 1:
        raise ValueError("people must be at least 1")
    if groups not in (0, GROUPS):
        raise ValueError(f"groups: give {GROUPS}, or 0 for one cloud without any")
    from wardhouse.areas.engagement.lines import RECORD_LINES, engagement_macros
    from wardhouse.areas.engagement.population import populate
    from wardhouse.synthetic.writer import open_writer

    population = populate(people, groups, seed)
    records = _records(population, dates)
    soiled = _soil(population, records, dirt, seed)
    raw_dir = Path(out_dir) / "engagement"
    truth_dir = Path(truth_dir or Path(out_dir) / "truth") / "engagement"
    raw_dir.mkdir(parents=True, exist_ok=True)
    truth_dir.mkdir(parents=True, exist_ok=True)

    def blocks() -> Iterator[Block]:
        for cut in cuts(0, len(soiled.row)):
            yield _block(population, records, soiled, cut)
            if progress:
                progress(min(cut.stop, len(soiled.row)), len(soiled.row))

    with open_writer(engagement_macros(population)) as writer:
        writer.write(raw_dir / f"{FEED}.csv", RECORD_LINES, blocks(), head=HEADER)
    if people <= TRUTH_ROWS:
        _write_persons(truth_dir, population)
    return SampleSummary(
        feeds=write_expected(truth_dir, {FEED: soiled}),
        dirt=soiled.counts,
        raw_dir=raw_dir,
        truth_dir=truth_dir,
    )


def _records(population: Population, dates: int) -> Block:
    """Give the person and the date of every record before dirt, date by date."""
    import numpy as np

    date, person = np.nonzero(population.is_present[:, DATES - dates :].T)
    date += DATES - dates
    last = population.is_present.shape[1] - 1 - population.is_present[:, ::-1].argmax(axis=1)
    return {"person": person, "date": date, "is_last": last[person] == date}


def _soil(population: Population, records: Block, dirt: EngagementDirt, seed: int) -> Soiled:
    """Deal dirt to the records, and none to what is planted where it would hide it."""
    import numpy as np
    from wardhouse.areas.engagement.population import ADOPTION, PATIENT
    from wardhouse.synthetic.seeds import draw

    person, date = records["person"], records["date"]
    # Whoever has no record on a date seems to have left, or not to have moved.
    is_dispensable = ~(records["is_last"] | (population.has_moved | population.has_left)[person])
    features = population.features[person, date]
    everyone = np.ones(len(person), bool)
    eligible = {
        # Whoever may have it: dealt before what chooses its records, to be at random among all.
        "satisfaction_blank": everyone,
        "engagement_blank": everyone,
        "procedures_and_referrals_blank": everyone,
        "person_missing": is_dispensable,
        "type_unknown": is_dispensable,
        "as_of_unreadable": is_dispensable,
        # A blank is a patient.
        "type_blank": population.person_type[person] == PATIENT,
        "engagement_blank_at_low_adoption": features[:, ADOPTION] < LOW_ADOPTION,
        "left_before_first_seen": records["is_last"] & _is_noticed(population)[person],
        "consent_spelling": population.consent[person] > 0,
        "value_thousands": population.value_cents[person, date] >= 100_000,
    }
    return soil(FEED, dirt, draw(seed, f"dirt of {FEED}", np.arange(len(person))), eligible)


def _is_noticed(population: Population) -> np.ndarray:
    """Tell whose day of departure the feed tells, shape (N,)."""
    return population.has_left & population.is_noticed


def _block(population: Population, records: Block, soiled: Soiled, cut: slice) -> Block:
    """Give records as columns, one array of the block's length each."""
    import numpy as np
    from wardhouse.areas.engagement.population import DAYS, FEATURES

    row, kind, is_copy = soiled.row[cut], soiled.kind[cut], soiled.is_copy[cut]
    person, date = records["person"][row], records["date"][row]
    of_person = ("person_type", "number", "first_seen", "consent", "age", "distance")
    block = {name: getattr(population, name)[person] for name in of_person}
    features = population.features[person, date].T
    return (
        block
        | {name: values.copy() for name, values in zip(FEATURES, features, strict=True)}
        | {
            "as_of": DAYS[date],
            "left_day": population.left[person],
            "is_left_told": records["is_last"][row] & _is_noticed(population)[person],
            "value_cents": population.value_cents[person, date],
            "is_older": (kind == CODES["record_changed"]) & ~is_copy,
            "kind": kind,
            # The records of one kind take its spellings in turn.
            "pick": np.bincount(soiled.kind[: cut.start], minlength=len(CODES))[kind] + turns(kind),
        }
    )


def _write_persons(truth_dir: Path, population: Population) -> None:
    """Write each person's group on each date, and when the person leaves."""
    from wardhouse.areas.engagement.population import DATES, FIRST_DATE, TYPE_NAMES

    rows = [
        (
            TYPE_NAMES[population.person_type[person]],
            population.id_of(person),
            *(population.group_name(person, date) for date in range(len(DATES))),
            FIRST_DATE + population.left[person] if population.has_left[person] else "",
        )
        for person in range(len(population.number))
    ]
    head = ["person_type", "person_id", *(f"group_{date}" for date in DATES), "left_date"]
    write_rows(truth_dir / "persons.csv", head, rows)


def write_sample(
    out_dir: Path,
    people: int,
    groups: int,
    seed: int,
    factor: float,
    shares: Sequence[str],
    progress: Callable[[int, int], None],
) -> SampleSummary:
    """Write a sample with so many times the usual dirt, single shares of it set by `kind=share`."""
    dirt = with_shares(EngagementDirt().scaled(factor), shares)
    return generate_engagement(out_dir, people, groups, seed, dirt, progress=progress)
