"""A deterministic, believable, dirty sample of growth's feeds, with the truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wardhouse.areas.growth.dirt import (
    CLAIMS,
    CODES,
    ENCOUNTERS,
    FEEDS,
    OPPORTUNITIES,
    SUPPLIES,
    GrowthDirt,
)
from wardhouse.synthetic.dirt import soil, turns, with_shares
from wardhouse.synthetic.seeds import DEFAULT_SEED
from wardhouse.synthetic.truth import SampleSummary, write_expected, write_rows
from wardhouse.synthetic.writer import cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from wardhouse.areas.growth.population import Population
    from wardhouse.synthetic.dirt import Soiled

    Block = dict[str, np.ndarray]

DEFAULT_DIRT = GrowthDirt()
HEADERS = {
    ENCOUNTERS: "patient_id,referral_provider,service_line,admission_date,discharge_date,"
    "length_of_stay,satisfaction_score,treatment_cost,payer\n",
    OPPORTUNITIES: "provider_name,pipeline_stage,contact_count,opportunity_value,deals_value,"
    "marketing_cost,account_id,as_of_date\n",
    CLAIMS: "claim_id,patient_id,visit_date,diagnosis_code,procedure_code,provider_name,"
    "claim_amount,claim_paid,claim_status\n",
    SUPPLIES: "provider_name,item_name,date,quantity_on_hand,daily_usage,reorder_point\n",
}


def generate_growth(
    out_dir: Path,
    encounters: int = 900,
    seed: int = DEFAULT_SEED,
    dirt: GrowthDirt = DEFAULT_DIRT,
    truth_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SampleSummary:
    """Write growth's four feeds and the truth about them.

    The same arguments give the same bytes. An earlier sample in the same place is overwritten.

    Parameters
    ----------
    out_dir : pathlib.Path
        Raw directory; the feeds go to its folder `growth`.
    encounters : int
        Encounters before dirt; copies come on top.
    seed : int
    dirt : GrowthDirt
        Shares of dirt; `GrowthDirt().scaled(0)` gives clean data.
    truth_dir : pathlib.Path, optional
        The truth goes to its folder `growth`; `out_dir / "truth"` by default.
    progress : callable, optional
        Called with the records written so far and the records there will be.

    Returns
    -------
    SampleSummary

    Raises
    ------
    ValueError
        If encounters are below 1, or the dirt wants more records than there are.
    """
    if encounters < 1:
        raise ValueError("encounters must be at least 1")
    from wardhouse.areas.growth.lines import (
        CLAIM_LINES,
        ENCOUNTER_LINES,
        OPPORTUNITY_LINES,
        SUPPLY_LINES,
        growth_macros,
    )
    from wardhouse.areas.growth.population import populate
    from wardhouse.synthetic.writer import open_writer

    growth = populate(encounters, seed)
    soiled = _soil(growth, dirt, seed)
    raw_dir = Path(out_dir) / "growth"
    truth_dir = Path(truth_dir or Path(out_dir) / "truth") / "growth"
    raw_dir.mkdir(parents=True, exist_ok=True)
    truth_dir.mkdir(parents=True, exist_ok=True)
    total, n_written = sum(len(feed.row) for feed in soiled.values()), 0

    def blocks(feed: str, columns: Block) -> Iterator[Block]:
        nonlocal n_written
        for cut in cuts(0, len(soiled[feed].row)):
            block = _block(soiled[feed], columns, cut)
            yield block
            n_written += len(block["kind"])
            if progress:
                progress(n_written, total)

    queries = (ENCOUNTER_LINES, OPPORTUNITY_LINES, CLAIM_LINES, SUPPLY_LINES)
    with open_writer(growth_macros(growth)) as writer:
        for feed, query, columns in zip(FEEDS, queries, _columns(growth).values(), strict=True):
            path = raw_dir / f"{feed}.csv"
            writer.write(path, query, blocks(feed, columns), head=HEADERS[feed])
    _write_planted(truth_dir, growth)
    return SampleSummary(
        feeds=write_expected(truth_dir, soiled),
        dirt={kind: n for feed in FEEDS for kind, n in soiled[feed].counts.items()},
        raw_dir=raw_dir,
        truth_dir=truth_dir,
    )


def _columns(growth: Population) -> dict[str, Block]:
    """Give each feed's rows before dirt, as columns."""
    import numpy as np

    of_claim = growth.claim_encounter
    names = ("provider", "line", "patient", "payer", "day", "stay", "cost_cents", "satisfaction")
    encounters = {name: getattr(growth, name) for name in (*names, "is_open")}
    names = ("visit", "diagnosis", "procedure", "status", "claim_cents", "paid_cents")
    claims = {name: getattr(growth, name) for name in names}
    claims |= {name: encounters[name][of_claim] for name in ("provider", "line", "patient")}
    claims["claim"] = np.arange(len(of_claim))
    return {
        ENCOUNTERS: encounters,
        OPPORTUNITIES: growth.crm,
        CLAIMS: claims,
        SUPPLIES: growth.supplies,
    }


def _soil(growth: Population, dirt: GrowthDirt, seed: int) -> dict[str, Soiled]:
    """Deal dirt to each feed, and none to what is planted where it would hide it."""
    import numpy as np
    from wardhouse.areas.growth.population import (
        N_DAYS,
        N_ROLES,
        PAID,
        PAYERS,
        REFUSED,
        RUNS_OUT,
        WAITING,
    )
    from wardhouse.synthetic.seeds import draw

    supplies = growth.supplies
    is_superseded = supplies["day"] < N_DAYS - 1
    is_left = ~growth.is_open
    eligible = {
        "provider_typo": growth.provider == growth.order[-1],
        "payer_hyphen": growth.payer == PAYERS.index("Self-Pay"),
        "cost_thousands": growth.cost_cents >= 100_000,
        "discharge_before_admission": is_left,
        "discharge_unreadable": is_left,
        "discharge_open_in_words": growth.is_open,
        "stay_disputed": is_left,
        "stay_blank": is_left,
        # The CRM's spelling is the one shown.
        "crm_provider_spelling": ~np.isin(growth.crm["provider"], growth.order[:N_ROLES]),
        "claim_overpaid": growth.status == PAID,
        "claim_paid_while_denied": growth.status == REFUSED,
        "claim_paid_while_pending": growth.status == WAITING,
        "claim_paid_unreadable": growth.status == PAID,
        "supply_zero_usage": supplies["pair"] != RUNS_OUT,
        "supply_negative": is_superseded,
        "supply_date_unreadable": is_superseded,
    }
    return {
        feed: soil(
            feed,
            dirt,
            draw(seed, f"dirt of {feed}", len(next(iter(columns.values())))),
            eligible,
        )
        for feed, columns in _columns(growth).items()
    }


def _block(soiled: Soiled, columns: Block, cut: slice) -> Block:
    """Give records of a feed as columns, one array of the block's length each."""
    import numpy as np

    row, kind, is_copy = soiled.row[cut], soiled.kind[cut], soiled.is_copy[cut]
    block = {name: column[row] for name, column in columns.items()}
    if "claim_cents" in block:
        is_conflict = is_copy & (kind == CODES["claim_conflicting"])
        block["claim_cents"] = block["claim_cents"] + 2500 * is_conflict
    if "account" in block:
        is_twice = np.isin(kind, [CODES["crm_stage_unknown"], CODES["crm_exported_before"]])
        block |= _as_exported(block, is_twice & ~is_copy)
        kind = np.where(is_twice & is_copy, CODES["clean"], kind)
    # The records of one kind take its spellings in turn.
    before = np.bincount(soiled.kind[: cut.start], minlength=len(CODES))
    return block | {"kind": kind, "pick": before[kind] + turns(kind)}


def _as_exported(block: Block, is_older: np.ndarray) -> Block:
    """Give opportunities as they are, or as they were a quarter before."""
    import numpy as np

    value_cents, deals_cents = block["value_cents"], block["deals_cents"]
    return {
        "is_older": is_older,
        "stage": np.where(is_older, np.maximum(block["stage"] - 1, 0), block["stage"]),
        "contacts": block["contacts"] - is_older,
        "value_cents": np.where(is_older, value_cents * 3 // 4, value_cents),
        "deals_cents": np.where(is_older, deals_cents // 2, deals_cents),
    }


def _write_planted(truth_dir: Path, growth: Population) -> None:
    """Write what is planted, and each provider's figures before dirt."""
    import numpy as np
    from wardhouse.areas.growth.population import (
        DENIED,
        GROWS,
        ITEMS,
        LINES,
        REFUSED,
        RUNS_OUT,
        SHORT_OF_SUPPLY,
        WHO_DECLINES,
        WHO_LAPSED,
    )

    names = ["Dr. " + " ".join(name) for name in growth.names]
    rows = [
        ("service_line_that_grows", LINES[GROWS].name),
        ("provider_whose_claims_are_denied", growth.name_of(DENIED)),
        ("provider_short_of_an_item", growth.name_of(SHORT_OF_SUPPLY)),
        ("item_that_runs_out", ITEMS[growth.supplies["item"][RUNS_OUT]]),
        ("referrer_who_lapsed", growth.name_of(WHO_LAPSED)),
        ("referrer_who_declines", growth.name_of(WHO_DECLINES)),
        ("what_the_opportunity_depends_on", "total_patients"),
        ("provider_who_is_not", names[0]),
        ("this_provider", names[1]),
        ("provider_with_a_typo", growth.name_of(-1)),
    ]
    write_rows(truth_dir / "planted.csv", ["plant", "what"], rows)
    n, by = len(names), growth.provider[growth.claim_encounter]
    crm = growth.crm
    value = np.bincount(crm["provider"], crm["value_cents"], n).astype(np.int64)
    figures = zip(
        names,
        np.bincount(growth.provider, minlength=n).tolist(),
        growth.n_patients_of().tolist(),
        np.bincount(by, minlength=n).tolist(),
        np.bincount(by[growth.status == REFUSED], minlength=n).tolist(),
        (f"{cents // 100}.{cents % 100:02}" for cents in value.tolist()),
        strict=True,
    )
    head = ["provider_name", "n_encounters", "total_patients", "n_claims", "n_claims_denied"]
    write_rows(truth_dir / "providers.csv", [*head, "opportunity_value"], sorted(figures))


def write_sample(
    out_dir: Path,
    encounters: int,
    seed: int,
    factor: float,
    shares: Sequence[str],
    progress: Callable[[int, int], None],
) -> SampleSummary:
    """Write a sample with so many times the usual dirt, single shares of it set by `kind=share`."""
    dirt = with_shares(GrowthDirt().scaled(factor), shares)
    return generate_growth(out_dir, encounters, seed, dirt, progress=progress)
