"""Cycles of `wardhouse stream` on a warehouse that is built: land some events, build, and measure.

The events are lines of EVENTS_FILE; each cycle lands the next N of them until there are no more.

Usage: python cycles_script.py PROJECT RAW_DIR EVENTS_FILE N OUT_DIR
"""

import json
import resource
import sys
from itertools import islice
from pathlib import Path

from wardhouse.streaming.batches import feed_folder
from wardhouse.streaming.build import Builder
from wardhouse.streaming.ingest import Ingest, Limits
from wardhouse.streaming.sources.directory import DirectorySource

FEED = "patient_flow.patient_events"


def main(project: Path, raw_dir: Path, events: Path, n_events: int, out: Path) -> None:
    """Land and build until all events are in."""
    builder = Builder(project, "patient_flow")
    growing = out / "live"
    growing.mkdir()
    source = DirectorySource(growing)
    cycles = []
    with (
        events.open("rb") as lines,
        (growing / "live.ndjson").open("ab") as file,
        Ingest(source, feed_folder(raw_dir, FEED), FEED, Limits(max_seconds=0)) as ingest,
    ):
        while batch := list(islice(lines, n_events)):
            n_wanted = ingest.counts.n_records + len(batch)
            file.write(b"".join(batch))
            file.flush()
            while ingest.counts.n_records < n_wanted:
                ingest.poll(0.1)
            before = resource.getrusage(resource.RUSAGE_SELF)
            cycle = builder.build(FEED)
            after = resource.getrusage(resource.RUSAGE_SELF)
            if cycle.error:
                sys.exit(cycle.error)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            cycles.append({"cpu": cpu, "wall": cycle.seconds})
    (out / "answer.json").write_text(json.dumps({"cycles": cycles}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), int(sys.argv[4]), Path(sys.argv[5]))
