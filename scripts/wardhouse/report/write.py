"""Charts as files: a page each that needs no network, a picture beside it, and a page of all."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from wardhouse.report.tables import ReportError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wardhouse.report.chart import Chart

SCALE = 2  # pixels of a picture per pixel of the page
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 "DejaVu Sans", Verdana, sans-serif; margin: 2rem auto; max-width: 60rem;
  color: #222 }}
figure {{ margin: 0 0 2.5rem }}
iframe {{ border: 0; width: 100% }}
</style>
<h1>{title}</h1>
{figures}
</html>
"""
FIGURE = """<figure id="{name}">
<iframe src="{name}.html" title="{title}" height="{height}" loading="lazy"></iframe>
<figcaption><a href="{name}.html">{title}</a>{picture}</figcaption>
</figure>
"""


def write_report(charts: Sequence[Chart], folder: Path, title: str, pictures: bool) -> list[Path]:
    """Write the charts of a report.

    Parameters
    ----------
    charts
        In the order of the page.
    folder
        It is made where it is missing. Of an earlier report only files of the same names change.
    title
        Of the page `index.html`.
    pictures
        Whether to draw PNG too, which takes a Chromium or Chrome on this machine.

    Returns
    -------
    list of Path
        The pages and pictures written, and `index.html` last.

    Raises
    ------
    ReportError
        When the folder cannot be written, or there is no browser that draws all pictures; the
        pages are there then.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f"{each.name}.html" for each in charts]
        for each, page in zip(charts, written, strict=True):
            each.figure.write_html(
                page,
                include_plotlyjs="directory",  # once, beside the pages
                div_id=each.name,
                config={"displaylogo": False, "responsive": False},
            )
        index = folder / "index.html"
        index.write_text(_index(charts, title, pictures), encoding="utf-8")
        if pictures:
            written += _draw(charts, folder)
    except OSError as error:
        raise ReportError(
            f"the report cannot be written to {folder}: {error.strerror or error}; name another "
            "folder by --out"
        ) from error
    return [*written, index]


def _index(charts: Sequence[Chart], title: str, pictures: bool) -> str:
    figures = [
        FIGURE.format(
            name=each.name,
            title=escape(each.title),
            height=int(each.figure.layout.height) + 20,
            picture=f' (<a href="{each.name}.png">PNG</a>)' if pictures else "",
        )
        for each in charts
    ]
    return PAGE.format(title=escape(title), figures="".join(figures))


def _draw(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Draw all pictures by one browser, which is shut off from the network."""
    from kaleido import write_fig_from_object_sync
    from kaleido.errors import (
        BrowserClosedError,
        BrowserFailedError,
        ChromeNotFoundError,
        JavascriptError,
        KaleidoError,
    )

    pictures = [folder / f"{each.name}.png" for each in charts]
    drawn = [
        {
            "fig": each.figure.to_plotly_json(),
            "path": picture,
            "opts": {
                "format": "png",
                "width": each.figure.layout.width,
                "height": each.figure.layout.height,
                "scale": SCALE,
            },
        }
        for each, picture in zip(charts, pictures, strict=True)
    ]
    try:
        write_fig_from_object_sync(drawn, kopts={"mathjax": False}, cancel_on_error=True)
    except (BrowserFailedError, ChromeNotFoundError) as error:
        raise ReportError(
            f"the pages are in {folder}, but no browser draws the pictures: install chromium "
            "(Debian: apt-get install chromium), or leave pictures out by --no-png"
        ) from error
    except (BrowserClosedError, JavascriptError, KaleidoError) as error:
        raise ReportError(
            f"the pages are in {folder}, but the browser fails to draw a picture ({error}): "
            "install another chromium, or leave pictures out by --no-png"
        ) from error
    return pictures
