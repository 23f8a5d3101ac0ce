"""Every sentence that an insight or headline can make, over small inputs, as somebody has read it.

After a change of the words `python tests/python/unit/test_sentences.py` writes the list again: read
what differs.
"""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from jinja2 import Environment
from wardhouse.quality.insights import judge_insights

PROJECT = Path(__file__).resolve().parents[3]
LISTED = PROJECT / "tests" / "truth" / "sentences.txt"
DEFINITIONS = PROJECT / "seeds" / "reference" / "insight_definitions.csv"
NAMES = {
    "status_mix": ["all"],
    "demand_hour": ["07:00", "08:00", "09:00"],
    "demand_weekday": ["Monday", "Sunday", "Tuesday"],
    "staffing_shift": ["Day", "Evening", "Night"],
    "device_technical_issues": ["Desktop", "Mobile Phone", "Tablet"],
    "device_wait": ["Desktop", "Mobile Phone", "Tablet"],
    "specialty_provider_rating": ["Cardiology", "Oncology", "Urology"],
    "appointment_type_duration": ["Consultation", "Follow-up", "Therapy"],
    "age_group_no_show": ["65+", "Under 18", "18-34"],
    "insurance_no_show": ["Insured", "Uninsured"],
    "provider_denials": ["Dr. Fairview", "Dr. Hawthorn", "Dr. Summerby"],
    "provider_satisfaction": ["Dr. Fairview", "Dr. Hawthorn", "Dr. Summerby"],
    "referral_volume": ["Dr. Fairview", "Dr. Hawthorn", "Dr. Summerby"],
    "service_line_satisfaction": ["Cardiology", "Oncology", "Urology"],
}
DEPARTMENTS = [f"{name} of hospital 5" for name in ("ICU", "Maternity", "Surgery")]
# Of each group the number of observations, and the sum of y.
SITUATIONS = {
    "nothing known": [(0, 0)] * 3,
    "few": [(2, 1)] * 3,
    "one group": [(10, 4)],
    "all zero": [(10, 0)] * 3,
    "zero, but for a small group": [(10, 0), (10, 0), (2, 1)],
    "all alike": [(10, 4)] * 3,
    "two ahead": [(10, 4), (10, 4), (10, 7)],
    "one ahead": [(10, 4), (10, 8), (10, 6)],
}


def ways(pick: str, sums: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Turn sums around where the lowest leads, so that the same groups do."""
    if pick == "lowest" or len(sums) < 3 or len(set(sums)) == 1:
        return sums
    return [(n, 10 - y) for n, y in sums]


def sentences() -> list[str]:
    """Make every sentence: insight, situation, statement and verdict of the test."""
    definitions = pd.read_csv(DEFINITIONS)
    made = []
    for definition in definitions.to_dict("records"):
        insight = definition["insight"]
        for situation, sums in SITUATIONS.items():
            names = NAMES.get(insight, DEPARTMENTS)
            rows = [
                {"area": definition["area"], "insight": insight, "group_name": name, "n": n,
                 "y_sum": y, "y_square_sum": y * y / max(n, 1) + 1, "x_sum": 3 * n,
                 "x_square_sum": 10 * n, "xy_sum": 3 * y}
                for name, (n, y) in zip(names, ways(definition["pick"], sums), strict=False)
            ]  # fmt: skip
            if "{group}" not in definition["statement"]:
                rows = rows[:1]
            judged = judge_insights(pd.DataFrame(rows), pd.DataFrame([definition]), 5).iloc[0]
            verdict = judged["untested_because"] or (
                f"{definition['verdict_if_significant']}, or {definition['verdict_otherwise']}"
            )
            made.append(f"{insight}, {situation}: {judged['statement']}. ({verdict})")
    return made


def test_every_sentence_is_one_that_somebody_has_read():
    assert sentences() == LISTED.read_text().splitlines()


def test_no_sentence_holds_a_place_that_was_not_filled():
    assert not [text for text in sentences() if set("{}|") & set(text)]


class ReturnedError(Exception):
    """What a macro of dbt returns."""


def called(source: str, name: str, *arguments: Any, **names: Any) -> Any:
    """Call a macro of a source as dbt does, which hands over what it returns."""

    def hand_over(value: Any) -> None:
        raise ReturnedError(value)

    environment = Environment(extensions=["jinja2.ext.do"])
    template = environment.from_string(source, globals={"return": hand_over, **names})
    try:
        getattr(template.module, name)(*arguments)
    except ReturnedError as returned:
        return returned.args[0]
    raise AssertionError(f"{name} returns nothing")


def headline(area: str, row: dict[str, Any]) -> str:
    """Make the headline that an area declares."""
    path = PROJECT / f"models/marts/{area}/_{area}__models.yml"
    metas = [
        model.get("config", {}).get("meta", {})
        for model in yaml.safe_load(path.read_text())["models"]
    ]
    [declared] = [meta["headline"] for meta in metas if "headline" in meta]
    source = (PROJECT / "macros/runs/log_headlines.sql").read_text()
    text, value = (
        source[source.index("{% macro " + name) :].partition("{% endmacro %}")
        for name in ("headline_text", "headline_value")
    )
    return called(
        "".join(text[:2]), "headline_text", declared, row,
        modules=SimpleNamespace(re=re),
        headline_value=lambda shown: called("".join(value[:2]), "headline_value", shown),
    )  # fmt: skip


FLOW = {"department": "ICU", "hospital_id": "5", "avg_wait_minutes": 138.35, "n_wait_known": 20}
VIP = {"n_patients": 7, "vip_status": "VIP", "feedback_band": "high", "total_revenue": 530746.87}
VISITS = {"n_appointments": 420, "n_all_appointments": 579, "share": 0.725, "share_low": 0.69,
          "share_high": 0.76}  # fmt: skip
NONE = {"share": None, "share_low": None, "share_high": None}


@pytest.mark.parametrize(
    ("area", "row", "expected"),
    [
        ("patient_flow", FLOW,
         "Waits are longest in ICU of hospital 5: 138.35 minutes on average (n 20)."),
        ("patient_flow", FLOW | {"avg_wait_minutes": 1},
         "Waits are longest in ICU of hospital 5: 1 minute on average (n 20)."),
        ("patient_flow", FLOW | {"avg_wait_minutes": None, "n_wait_known": 0}, "No wait is known."),
        ("hospital", VIP,
         "The most revenue comes from 7 VIP patients with high feedback: 530,746.87."),
        ("hospital", VIP | {"n_patients": 1},
         "The most revenue comes from 1 VIP patient with high feedback: 530,746.87."),
        ("hospital", VIP | {"total_revenue": 0}, "No revenue is known."),
        ("telehealth", VISITS,
         "420 of 579 appointments were completed, 0.72 (95 % interval 0.69 to 0.76)."),
        ("telehealth", VISITS | {"n_appointments": 0, "n_all_appointments": 1, "share": 0.0},
         "0 of 1 appointment was completed, 0 (95 % interval 0.69 to 0.76)."),
        ("telehealth", VISITS | NONE | {"n_appointments": 0, "n_all_appointments": 0},
         "No appointment is known."),
    ],
)  # fmt: skip
def test_a_headline_is_a_plain_sentence(area, row, expected):
    assert headline(area, row) == expected


if __name__ == "__main__":
    LISTED.write_text("\n".join(sentences()) + "\n")
