"""Measures the area on many people, and its fit and scoring beside bare scikit-learn's."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from wardhouse.areas.declared import load
from wardhouse.bench.hospital import NO_TESTS, SCRIPTS
from wardhouse.bench.measure import ContenderError, Measurement, run_measured, warehouse_environment

SCRIPT = SCRIPTS / "persona_script.py"


def measure_size(place: Path, project: Path, people: int, seed: int) -> tuple[Measurement, dict]:
    """Build the area on people of one date, then fit and score the same people by hand.

    Parameters
    ----------
    place
        An empty folder for data and outputs.
    project
        The dbt project.
    people
        How many.
    seed
        Of the generated data.

    Returns
    -------
    Measurement
        Of `dbt build --selector engagement` without tests, the project parsed before.
    dict
        Wall seconds of the people of one type, the best of three: `fit` as the area fits and
        `bare_fit` by scikit-learn at the same settings; `score` by the SQL of `persona_members`
        and `predict` by scikit-learn from a DataFrame, each from the warehouse into a table.

    Raises
    ------
    ContenderError
        If the build or the script fails, or the two give other labels.
    """
    # Whoever is written on one date cannot be refused and still be there.
    dirt = load("engagement.dirt:EngagementDirt")(
        person_missing=0, type_unknown=0, as_of_unreadable=0, left_before_first_seen=0
    )
    load("engagement.sample:generate_engagement")(
        place / "raw", people, seed=seed, dirt=dirt, truth_dir=place / "truth", dates=1
    )
    env = warehouse_environment(place, place / "raw", "engagement")
    dbt = [Path(sys.executable).with_name("dbt"), "--quiet"]
    run_measured("parse", [*dbt, "parse"], place / "parse.log", project, env)
    build = [*dbt, "build", "--selector", "engagement", *NO_TESTS]
    built = run_measured("build", build, place / "build.log", project, env)
    scoring = next((place / "target" / "compiled").rglob("persona_members.sql"))
    answer = place / "answer.json"
    command = [sys.executable, SCRIPT, env["WARDHOUSE_DB"], scoring, answer]
    run_measured("script", command, place / "script.log", project, env)
    figures = json.loads(answer.read_text())
    if not figures["agree"]:
        raise ContenderError("SQL and scikit-learn put people into other personas")
    return replace(built, name="build of the area"), figures
