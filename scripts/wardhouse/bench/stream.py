"""`wardhouse bench stream`: how fast a stream lands, how soon it is modelled, what a cycle costs.

Three parts, each of fresh processes: the rate of ingest against a bare consumer of the same topic;
the time from an event to core while a simulated hospital runs; and the cost of one cycle with a
short and with a long history behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from wardhouse.bench.stream_cycles import History
from wardhouse.bench.stream_latency import Latency
from wardhouse.bench.stream_rate import Rates

PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pyarrow", "confluent-kafka")
PARTS = ("ingest", "latency", "cycles")
MINIMUM_INGEST_RATIO = 0.7
MAXIMUM_LATENCY = 15.0  # seconds
MAXIMUM_CYCLE_RATIO = 1.5


@dataclass(frozen=True)
class Verdict:
    """A figure with its target: at least or at most so much."""

    name: str
    figure: float
    target: float
    is_floor: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the figure is on the right side of its target."""
        return self.figure >= self.target if self.is_floor else self.figure <= self.target


def verdicts(
    rates: Rates | None, latency: Latency | None, histories: list[History] | None
) -> list[Verdict]:
    """Hold what was measured against the targets."""
    found = []
    if rates:
        name = "ingest / bare consumer, messages a second"
        found.append(Verdict(name, rates.ratio, MINIMUM_INGEST_RATIO, is_floor=True))
    if latency:
        for name, seconds in (("median", latency.half), ("95th percentile", latency.p95)):
            found.append(Verdict(f"event to star, {name}", seconds, MAXIMUM_LATENCY, unit=" s"))
    if histories:
        short, long = histories
        ratio = median(long.cpu) / median(short.cpu)
        name = f"CPU of a cycle, {long.n_events:,} / {short.n_events:,} events before"
        found.append(Verdict(name, ratio, MAXIMUM_CYCLE_RATIO))
    return found


def details(
    rates: Rates | None, latency: Latency | None, histories: list[History] | None
) -> list[str]:
    """Say in lines what the figures are made of."""
    lines = []
    if rates:
        for name, each in (("ingest", rates.ingest), ("bare consumer", rates.bare)):
            rounds = ", ".join(f"{rate:,.0f}" for rate in each)
            lines.append(f"{name}: {median(each):,.0f} messages a second ({rounds})")
    if latency:
        lines.append(
            f"live: {latency.n_events:,} events, {latency.rate:,.0f} a second, in "
            f"{latency.n_cycles} cycles; the slowest event took {latency.most:.1f} s. The first "
            f"build, of the whole area, ended after {latency.first_build:.1f} s; "
            f"{latency.n_waited:,} events waited for it"
        )
    for each in histories or ():
        lines.append(
            f"{each.n_events:,} events in {each.n_files:,} files: built in {each.build.wall:.0f} s "
            f"with {each.build.cpu:.0f} CPU s and {each.build.peak:,.0f} MB, database "
            f"{each.database_mb:,.0f} MB; a cycle takes {median(each.cpu):.2f} CPU s "
            f"({min(each.cpu):.2f} to {max(each.cpu):.2f}), {median(each.wall):.2f} s of time"
        )
    return lines
