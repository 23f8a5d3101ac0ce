"""`wardhouse sample`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from wardhouse.areas.declared import AREAS, load
from wardhouse.commands.options import (
    DirtFactor,
    ShareOption,
    own_options,
    parameter_of,
    with_parameters,
)
from wardhouse.synthetic.seeds import DEFAULT_SEED

SAMPLES = {area.name: area.sample for area in AREAS if area.sample}
Name = StrEnum("Name", {name: name for name in SAMPLES})
FIRST = next(iter(Name))


def _write(
    area: Annotated[Name, typer.Option(help="Which subject area.")] = FIRST,
    out: Annotated[Path, typer.Option(help="Raw directory to write to.")] = Path("sample"),
    seed: Annotated[int, typer.Option(help="Another seed, another hospital.")] = DEFAULT_SEED,
    dirt: DirtFactor = 1.0,
    share: ShareOption = None,
    **options: Any,
) -> None:
    """Write an area's raw feeds, dirty as they come, and the truth about them."""
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    console = Console()
    chosen = SAMPLES[area]
    every = [option for sample in SAMPLES.values() for option in sample.options]
    try:
        own = own_options(area, (chosen.size, *chosen.options), every, options)
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task(area.replace("_", " ").capitalize(), total=None)
            summary = load(chosen.write)(
                out,
                seed=seed,
                factor=dirt,
                shares=share or [],
                progress=lambda done, total: bar.update(task, completed=done, total=total),
                **own,
            )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    table = Table("feed", title=f"{summary.raw_dir}, the truth in {summary.truth_dir}")
    for heading in ("raw", "accepted", "rejected", "duplicates"):
        table.add_column(heading, justify="right")
    for feed, truth in summary.feeds.items():
        table.add_row(feed, *(f"{count:,}" for count in vars(truth).values()))
    console.print(table)


sample_command = with_parameters(
    _write,
    [
        parameter_of(option)
        for sample in SAMPLES.values()
        for option in (sample.size, *sample.options)
    ],
)
