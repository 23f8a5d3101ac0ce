"""What the raw directory holds, scanned before anything is built: the plan that dbt lands by.

dbt calls it through the macro `land_feeds`; `wardhouse inspect` plans feeds without dbt.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wardhouse.landing.feeds import Feed, choose_areas, feed_from_dict
from wardhouse.landing.headers import FeedPlan, lacking_columns
from wardhouse.landing.options import read_settings
from wardhouse.landing.plan import empty_select, holds, plan_feed, survey_row
from wardhouse.landing.rules import reading_rules
from wardhouse.settings import named_directory

FILE_KEY = ("area", "feed", "source_file", "fingerprint")  # what makes a landed file the same


def _message(raw_dir: Path, problems: list[str]) -> str:
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return f"The raw files in {raw_dir} cannot be built:\n{lines}"


def check_state(state: dict[str, Any] | None, raw_dir: str, areas: list[str]) -> list[str]:
    """Refuse to mix raw directories, or to keep an area that is no longer chosen."""
    if state is None:
        return []
    problems = []
    if not is_same_directory(state["raw_dir"], raw_dir):
        problems.append(
            f"this warehouse was built from {state['raw_dir']}, not from {raw_dir}; "
            "set WARDHOUSE_DB to another file, or delete this one by `wardhouse reset`"
        )
    gone = sorted(set(state["areas"]) - set(areas))
    if gone:
        problems.append(
            f"this warehouse holds {', '.join(gone)}, which is not chosen now; choose it too, "
            "set WARDHOUSE_DB to another file, or delete this one by `wardhouse reset`"
        )
    return problems


def is_same_directory(name: str, other: str) -> bool:
    """Whether two names are one, or lead to one place now."""
    return name == other or Path(name).resolve() == Path(other).resolve()


def land(
    request: dict[str, Any],
    landed: Sequence[dict[str, Any]] = (),
    surveyed: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Plan the landing of every declared feed.

    Parameters
    ----------
    request
        `raw_dir`, `areas` (text of WARDHOUSE_AREAS), `feeds` (declared), `rules` (see
        `wardhouse.landing.rules`), `state` (`raw_dir` and `areas` of the last build, or null) and
        `full_refresh`.
    landed
        Files in the warehouse: `area`, `feed`, `source_file`, `fingerprint`.
    surveyed
        The rows `surveys` of earlier answers, without those that were outdated.

    Returns
    -------
    dict
        `error` (text, or null) and, where null: `raw_dir` (as its user names it, links kept),
        `areas`, `views` (SQL by schema and name), `model_rules` (what decides how each model is
        built), `new_files` and `gone_files` (what differs from `landed`; a changed file is both),
        `surveys` (of files newly looked at), `outdated_surveys` (their files' names), `unreadable`,
        `undeclared` (columns, of feeds that do not keep them), `delivered` (declared columns that
        any file has), `lacking` (those that a file lacks) and `options` as lists of rows.
    """
    raw_dir = named_directory(Path(request["raw_dir"]))
    feeds = [feed_from_dict(feed) for feed in request["feeds"]]
    areas, problems = choose_areas(raw_dir, request["areas"], (feed.area for feed in feeds))
    options, bad_settings = read_settings(raw_dir, feeds, Path(request["rules"]["project_dir"]))
    problems += bad_settings
    if not problems:
        problems += check_state(request["state"], str(raw_dir), areas)
    if problems:
        return {"error": _message(raw_dir, problems)}
    is_known = not request["full_refresh"]
    fingerprints = _by_feed(landed if is_known else ())
    surveys = _by_feed(surveyed if is_known else ())
    rules, model_rules = reading_rules(request["rules"])
    plans = [
        plan_feed(
            raw_dir,
            feed,
            options.get((feed.area, feed.name), {}),
            rules.get((feed.area, feed.name), ""),
            {
                name: file["fingerprint"]
                for name, file in fingerprints.get((feed.area, feed.name), {}).items()
            },
            surveys.get((feed.area, feed.name)),
        )
        for feed in feeds
        if feed.area in areas
    ]
    problems = [f"{plan.feed.label}: {problem}" for plan in plans for problem in plan.problems]
    if problems:
        return {"error": _message(raw_dir, problems)}
    return {
        "error": None,
        "raw_dir": str(raw_dir),
        "areas": areas,
        "views": _views(feeds, plans),
        "model_rules": [{"model": name, "rule": rule} for name, rule in model_rules.items()],
        **_file_differences(plans, landed),
        **_survey_differences(plans, surveys, surveyed),
        "unreadable": [
            {"area": plan.feed.area, "feed": plan.feed.name, **row}
            for plan in plans
            for row in plan.unreadable
        ],
        "undeclared": [
            {
                "area": plan.feed.area,
                "feed": plan.feed.name,
                "source_file": source_file,
                "column_name": name,
            }
            for plan in plans
            if not plan.feed.keep_undeclared
            for source_file, name in plan.undeclared
        ],
        "delivered": [
            {"area": plan.feed.area, "feed": plan.feed.name, "column_name": name}
            for plan in plans
            for name, spelled in plan.mapping.items()
            if spelled
        ],
        "lacking": [
            {
                "area": plan.feed.area,
                "feed": plan.feed.name,
                "source_file": source_file,
                "column_name": name,
            }
            for plan in plans
            for source_file, name in lacking_columns(plan)
        ],
        "options": [
            {"area": area, "feed": feed, "option": option, "value": value}
            for (area, feed), values in options.items()
            for option, value in values.items()
        ],
    }


def _file_differences(
    plans: Sequence[FeedPlan], landed: Iterable[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Tell which files the warehouse does not hold as they are, and which it should not hold."""
    present = {
        (plan.feed.area, plan.feed.name, name, fingerprint)
        for plan in plans
        for name, fingerprint in plan.fingerprints.items()
    }
    held = {tuple(row[name] for name in FILE_KEY): row for row in landed}
    return {
        "new_files": [
            row
            for plan in plans
            for row in _file_rows(plan)
            if tuple(row[name] for name in FILE_KEY) not in held
        ],
        "gone_files": [row for key, row in held.items() if key not in present],
    }


def _survey_differences(
    plans: Sequence[FeedPlan],
    surveys: dict[tuple[str, str], dict[str, dict[str, Any]]],
    surveyed: Iterable[dict[str, Any]],
) -> dict[str, list[Any]]:
    """Tell which scans are new, and of which files earlier ones no longer hold."""
    kept, new = set(), []
    for plan in plans:
        known = surveys.get((plan.feed.area, plan.feed.name), {})
        for file in plan.files:
            if holds(known.get(file.source_file), file.stat, plan):
                kept.add(file.source_file)
            else:
                row = {"area": plan.feed.area, "feed": plan.feed.name}
                new.append({**row, **survey_row(plan, file)})
    outdated = [row["source_file"] for row in surveyed if row["source_file"] not in kept]
    return {"surveys": new, "outdated_surveys": outdated}


def _by_feed(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["area"], row["feed"]), {})[row["source_file"]] = row
    return found


def _views(feeds: Iterable[Feed], plans: Iterable[FeedPlan]) -> list[dict[str, str]]:
    """Name the views: of all records, and of those in files that hold something new."""
    chosen = {(plan.feed.area, plan.feed.name): plan for plan in plans}
    views = []
    for feed in feeds:
        plan = chosen.get((feed.area, feed.name))
        empty = empty_select(feed)
        all_records, fresh = (plan.select, plan.select_fresh) if plan else ("", "")
        views += [
            {"schema": f"raw_{feed.area}", "name": feed.name, "select": all_records or empty},
            {"schema": "landing", "name": fresh_view(feed), "select": fresh or empty},
        ]
    return views


def fresh_view(feed: Feed) -> str:
    """Name the view of a feed's files that hold something new."""
    return f"fresh_{feed.area}__{feed.name}"


def _file_rows(plan: FeedPlan) -> list[dict[str, Any]]:
    return [
        {
            "area": plan.feed.area,
            "feed": plan.feed.name,
            "source_file": batch.source_file,
            "n_bytes": batch.n_bytes,
            "content_hash": batch.content_hash,
            "fingerprint": plan.fingerprints[batch.source_file],
            "is_readable": file.problem is None,
        }
        for file in plan.files
        for batch in file.landed
    ]
