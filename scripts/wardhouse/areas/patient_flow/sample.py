"""A recorded stream of patient events as files, dirty as it comes, with the truth beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.areas.patient_flow.dirt import DEFAULT_DIRT, FEED, PatientFlowDirt
from wardhouse.areas.patient_flow.events import PatientFlow
from wardhouse.areas.patient_flow.population import BOTTLENECK, BOTTLENECK_HOURS, NAMES, SLOW
from wardhouse.synthetic.dirt import with_shares
from wardhouse.synthetic.seeds import DEFAULT_SEED
from wardhouse.synthetic.timeline import DAY, SECOND, Told
from wardhouse.synthetic.truth import SampleSummary, write_expected, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


FIRST_DAY = int(datetime(2025, 9, 1, tzinfo=UTC).timestamp()) * SECOND
DAYS = 21
HOSPITALS = 3
DEFAULT_EVENTS = 2200


def generate_patient_flow(
    out_dir: Path,
    events: int = DEFAULT_EVENTS,
    seed: int = DEFAULT_SEED,
    dirt: PatientFlowDirt = DEFAULT_DIRT,
    truth_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SampleSummary:
    """Write three weeks of three hospitals, a file a day, and the truth about them.

    The same arguments give the same bytes. An earlier sample in the same place is overwritten.

    Parameters
    ----------
    out_dir : pathlib.Path
        Raw directory; the feed goes to its folder `patient_flow`.
    events : int
        About how many messages, at least 1.
    seed : int
    dirt : PatientFlowDirt
        Shares of dirt; `PatientFlowDirt().scaled(0)` gives clean data.
    truth_dir : pathlib.Path, optional
        The truth goes to its folder `patient_flow`; `out_dir / "truth"` by default.
    progress : callable, optional
        Called with the days written so far and the days there will be.

    Returns
    -------
    SampleSummary

    Raises
    ------
    ValueError
        If events are below 1.
    """
    if events < 1:
        raise ValueError("events must be at least 1")
    from wardhouse.synthetic.player import messages_of
    from wardhouse.synthetic.sinks import FileSink
    from wardhouse.synthetic.writer import open_writer

    raw_dir = Path(out_dir) / PatientFlow.area
    truth_dir = Path(truth_dir or Path(out_dir) / "truth") / PatientFlow.area
    truth_dir.mkdir(parents=True, exist_ok=True)
    for earlier in (raw_dir / FEED).glob("*.ndjson"):
        earlier.unlink()
    stop = FIRST_DAY + DAYS * DAY
    is_clean = not any(vars(dirt).values())
    stream = PatientFlow(
        rate=events / (DAYS * DAY / SECOND),
        start=FIRST_DAY,
        stop=stop,
        seed=seed,
        dirt=dirt,
        overlap_share=0.0 if is_clean else 0.02,
        hospitals=HOSPITALS,
    )
    told = Told(PatientFlowDirt)
    sink = FileSink(Path(out_dir), PatientFlow.area, appends=False)
    with open_writer(stream.macros()) as writer:
        for step in stream.steps():
            block = step.blocks[FEED]
            told.add(block)
            if len(block["delivery"]):
                sink.write(
                    FEED, int(block["delivery"][0]), messages_of(writer, stream, FEED, block)
                )
            if progress:
                progress((step.stop - FIRST_DAY) // DAY, DAYS)
    sink.close()
    hours = f"{BOTTLENECK_HOURS.start} to {BOTTLENECK_HOURS.stop}"
    planted = [
        ("department_whose_evening_stays_and_waits_are_longer", NAMES[BOTTLENECK]),
        ("hours_of_admission_of_these_stays", hours),
        ("department_where_patients_wait_too_long", NAMES[SLOW]),
    ]
    write_rows(truth_dir / "planted.csv", ["plant", "what"], planted)
    return SampleSummary(
        feeds=write_expected(truth_dir, {FEED: told}),
        dirt={kind: sum(n) for kind, n in told.outcomes().items() if kind != "clean"},
        raw_dir=raw_dir,
        truth_dir=truth_dir,
    )


def write_sample(
    out_dir: Path,
    events: int,
    seed: int,
    factor: float,
    shares: Sequence[str],
    progress: Callable[[int, int], None],
) -> SampleSummary:
    """Write a sample with so many times the usual dirt, single shares of it set by `kind=share`."""
    dirt = with_shares(PatientFlowDirt().scaled(factor), shares)
    return generate_patient_flow(out_dir, events, seed, dirt, progress=progress)
