"""A deterministic, believable, dirty sample of the hospital's feeds, with the truth beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.areas.hospital.dirt import CODES, DOCTORS, FEEDBACK, FEEDS, KINDS, TREATMENTS, Dirt
from wardhouse.synthetic.dirt import soil, with_shares
from wardhouse.synthetic.seeds import DEFAULT_SEED
from wardhouse.synthetic.truth import TRUTH_ROWS, SampleSummary, write_expected
from wardhouse.synthetic.writer import cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from wardhouse.areas.hospital.population import Population
    from wardhouse.synthetic.dirt import Soiled
    from wardhouse.synthetic.writer import Writer

    Block = dict[str, np.ndarray]

DEFAULT_DIRT = Dirt()
TREATMENT_HEADER = (
    "treatment_id,patient_id,doctor_id,treatment_type,treatment_cost,room_cost,treatment_date\n"
)


@dataclass(frozen=True, kw_only=True)
class HospitalSummary(SampleSummary):
    """What was written, and of how large a hospital.

    Attributes
    ----------
    n_treatments, n_patients, n_doctors : int
        Size of the hospital before dirt.
    """

    n_treatments: int
    n_patients: int
    n_doctors: int


def generate_hospital(
    out_dir: Path,
    treatments: int,
    seed: int = DEFAULT_SEED,
    dirt: Dirt = DEFAULT_DIRT,
    files: int = 1,
    progress: Callable[[int, int], None] | None = None,
    truth_dir: Path | None = None,
) -> HospitalSummary:
    """Write the hospital's three feeds and the truth about them.

    The same arguments give the same bytes. An earlier sample in the same place is overwritten.

    Parameters
    ----------
    out_dir : pathlib.Path
        Raw directory; the feeds go to its folder `hospital`.
    treatments : int
        Treatments of the hospital; duplicates and conflicting records come on top.
    seed : int
    dirt : Dirt
        Shares of dirt; `Dirt().scaled(0)` gives clean data.
    files : int
        Parts of the treatments feed; more than one make it a folder.
    progress : callable, optional
        Called with the records written so far and the records there will be.
    truth_dir : pathlib.Path, optional
        The truth goes to its folder `hospital`; `out_dir / "truth"` by default.

    Returns
    -------
    HospitalSummary

    Raises
    ------
    ValueError
        If treatments or files are below 1, or the dirt wants more records than there are.
    """
    if treatments < 1 or files < 1:
        raise ValueError("treatments and files must be at least 1")
    from wardhouse.areas.hospital.lines import hospital_macros
    from wardhouse.areas.hospital.population import populate
    from wardhouse.synthetic.seeds import draw
    from wardhouse.synthetic.writer import open_writer

    hospital = populate(treatments, seed)
    soiled = {
        TREATMENTS: soil(
            TREATMENTS,
            dirt,
            draw(seed, "dirt of treatments", treatments),
            {"cost_thousands": hospital.treatment_cents >= 100_000},
        ),
        DOCTORS: soil(DOCTORS, dirt, draw(seed, "dirt of doctors", len(hospital.plant))),
        FEEDBACK: soil(FEEDBACK, dirt, draw(seed, "dirt of feedback", hospital.answered)),
    }
    raw_dir = Path(out_dir) / "hospital"
    truth_dir = Path(truth_dir or Path(out_dir) / "truth") / "hospital"
    raw_dir.mkdir(parents=True, exist_ok=True)
    truth_dir.mkdir(parents=True, exist_ok=True)
    with open_writer(hospital_macros(hospital)) as writer:
        _write_feeds(writer, raw_dir, hospital, soiled, files, progress)
        _write_planted(writer, truth_dir, hospital)
        _write_accepted(writer, truth_dir, hospital, soiled[TREATMENTS])
    feeds = write_expected(truth_dir, soiled)
    return HospitalSummary(
        n_treatments=treatments,
        n_patients=len(hospital.is_vip),
        n_doctors=len(hospital.plant),
        feeds=feeds,
        dirt={kind: n for feed in FEEDS for kind, n in soiled[feed].counts.items()},
        raw_dir=raw_dir,
        truth_dir=truth_dir,
    )


def _write_feeds(
    writer: Writer,
    raw_dir: Path,
    hospital: Population,
    soiled: dict[str, Soiled],
    files: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write the three feeds, block by block."""
    from wardhouse.areas.hospital.lines import DOCTOR_LINES, FEEDBACK_LINES, TREATMENT_LINES

    total = sum(len(feed.row) for feed in soiled.values())
    n_written = 0

    def told(blocks: Iterable[Block]) -> Iterator[Block]:
        nonlocal n_written
        for block in blocks:
            yield block
            n_written += len(block["kind"])
            if progress:
                progress(n_written, total)

    feed = soiled[TREATMENTS]
    for part, path in enumerate(_treatment_parts(raw_dir, files)):
        start, stop = (len(feed.row) * bound // files for bound in (part, part + 1))
        blocks = (_treatment_block(hospital, feed, cut) for cut in cuts(start, stop))
        writer.write(path, TREATMENT_LINES, told(blocks), head=TREATMENT_HEADER)

    feed = soiled[DOCTORS]
    blocks = (_doctor_block(hospital, feed, cut) for cut in cuts(0, len(feed.row)))
    path = raw_dir / f"{DOCTORS}.csv"
    writer.write(path, DOCTOR_LINES, told(blocks), head="doctor_id,doctor_name,specialty\n")

    feed = soiled[FEEDBACK]
    blocks = (_feedback_block(hospital, feed, cut) for cut in cuts(0, len(feed.row)))
    path = raw_dir / f"{FEEDBACK}.json"
    writer.write(path, FEEDBACK_LINES, told(blocks), head="[\n", tail="]\n")


def _treatment_parts(raw_dir: Path, files: int) -> list[Path]:
    """Name the files of the treatments feed, and take away those of an earlier sample."""
    folder = raw_dir / TREATMENTS
    single = raw_dir / f"{TREATMENTS}.csv"
    for earlier in [single, *folder.glob("part-*.csv")]:
        earlier.unlink(missing_ok=True)
    if files == 1:
        if folder.is_dir():
            folder.rmdir()
        return [single]
    folder.mkdir(exist_ok=True)
    return [folder / f"part-{part:04d}.csv" for part in range(1, files + 1)]


def _treatment_block(hospital: Population, soiled: Soiled, cut: slice) -> Block:
    """Give records of the treatments feed as columns, one array of the block's length each."""
    import numpy as np

    row, kind, is_copy = soiled.row[cut], soiled.kind[cut], soiled.is_copy[cut]
    is_rejected = np.isin(kind, _codes(lambda name: "rejected" in KINDS[name]["outcomes"]))
    is_conflict = kind == CODES["conflicting"]
    is_stranger = kind == CODES["doctor_undescribed"]
    # A duplicate's first record is clean: its dirt shows on the copy.
    shows = is_copy | ~np.isin(kind, _codes(lambda name: name.startswith("duplicate_")))
    return {
        "treatment": row,
        "patient": hospital.patient[row],
        "doctor": np.where(is_stranger, len(hospital.plant), hospital.doctor[row]),
        "type_code": hospital.treatment_type[row],
        "treatment_cents": hospital.treatment_cents[row] + 2500 * (is_conflict & is_copy),
        "room_cents": hospital.room_cents[row],
        "day": hospital.day[row],
        "kind": np.where(shows, kind, 0),
        "is_accepted": ~is_copy & ~is_rejected,
    }


def _codes(matches: Callable[[str], bool]) -> list[int]:
    return [CODES[name] for name in KINDS if matches(name)]


def _doctor_block(hospital: Population, soiled: Soiled, cut: slice) -> Block:
    """Give records of the doctors feed as columns, one array of the block's length each."""
    from wardhouse.areas.hospital.population import SPECIALTIES

    row, kind, is_copy = soiled.row[cut], soiled.kind[cut], soiled.is_copy[cut]
    # The later record of a changed doctor is the true one.
    is_former = (kind == CODES["doctor_changed"]) & ~is_copy
    specialty = (hospital.specialty[row] + is_former) % len(SPECIALTIES)
    return {"doctor": row, "specialty": specialty, "kind": kind}


def _feedback_block(hospital: Population, soiled: Soiled, cut: slice) -> Block:
    """Give records of the feedback feed as columns, one array of the block's length each."""
    import numpy as np

    row = soiled.row[cut]
    treatment = hospital.answered[row]
    return {
        "treatment": treatment,
        "patient": hospital.patient[treatment],
        "score": hospital.score[row],
        "day": hospital.day[treatment] + hospital.delay[row],
        "kind": soiled.kind[cut],
        "is_last": np.arange(cut.start, cut.stop) == len(soiled.row) - 1,
    }


def _write_planted(writer: Writer, truth_dir: Path, hospital: Population) -> None:
    """Write who was planted, with their figures before dirt."""
    import numpy as np
    from wardhouse.areas.hospital.lines import PLANTED_DOCTORS, VIP_PATIENTS
    from wardhouse.areas.hospital.population import LOW_FEEDBACK, ORDINARY

    # Sums of whole numbers below 2**53 are exact in floats.
    revenue = hospital.treatment_cents + hospital.room_cents
    n_patients, n_doctors = len(hospital.is_vip), len(hospital.plant)
    vips = np.flatnonzero(hospital.is_vip)
    block = {
        "patient": vips,
        "n_treatments": np.bincount(hospital.patient, minlength=n_patients)[vips],
        "cents": np.bincount(hospital.patient, revenue, n_patients)[vips].astype(np.int64),
    }
    path = truth_dir / "vip_patients.csv"
    writer.write(path, VIP_PATIENTS, [block], head="patient_id,n_treatments,revenue\n")

    planted = np.flatnonzero(hospital.plant != ORDINARY)
    asked = hospital.doctor[hospital.answered]
    block = {
        "doctor": planted,
        "is_low": hospital.plant[planted] == LOW_FEEDBACK,
        "n_treatments": np.bincount(hospital.doctor, minlength=n_doctors)[planted],
        "cents": np.bincount(hospital.doctor, revenue, n_doctors)[planted].astype(np.int64),
        "n_answers": np.bincount(asked, minlength=n_doctors)[planted],
        "tenths": np.bincount(asked, hospital.score, n_doctors)[planted],
    }
    head = "doctor_id,plant,n_treatments,revenue,n_answers,mean_score\n"
    writer.write(truth_dir / "planted_doctors.csv", PLANTED_DOCTORS, [block], head=head)


def _write_accepted(writer: Writer, truth_dir: Path, hospital: Population, feed: Soiled) -> None:
    """Write the treatments that must be accepted, as they must read; not for large samples."""
    from wardhouse.areas.hospital.lines import ACCEPTED_TREATMENTS

    path = truth_dir / "accepted_treatments.csv"
    path.unlink(missing_ok=True)
    if len(hospital.patient) <= TRUTH_ROWS:
        blocks = (_treatment_block(hospital, feed, cut) for cut in cuts(0, len(feed.row)))
        writer.write(path, ACCEPTED_TREATMENTS, blocks, head=TREATMENT_HEADER)


def write_sample(
    out_dir: Path,
    treatments: int,
    seed: int,
    factor: float,
    shares: Sequence[str],
    progress: Callable[[int, int], None],
    files: int = 1,
) -> HospitalSummary:
    """Write a sample with so many times the usual dirt, single shares of it set by `kind=share`."""
    dirt = with_shares(Dirt().scaled(factor), shares)
    return generate_hospital(out_dir, treatments, seed, dirt, files, progress)
