"""The benchmark's contenders do the same work: on a small hospital all of them agree."""

from dataclasses import replace
from pathlib import Path

import pytest
from wardhouse.bench import (
    CONTENDERS,
    Bench,
    ContenderError,
    Measurement,
    as_markdown,
    check_agreement,
    ratios,
    run_contenders,
    run_measured,
)

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def measurements(tmp_path_factory) -> list[Measurement]:
    """Return a run of every contender on 2,000 treatments, the tests' own cost left out."""
    bench = Bench(tmp_path_factory.mktemp("bench"), PROJECT, treatments=2000, seed=20250101)
    names = [name for name in CONTENDERS if name not in ("dbt_noop", "dbt")]
    return run_contenders(bench, names)


def test_all_contenders_agree(measurements):
    sentence = check_agreement(measurements)
    for found in measurements:
        assert found.name in sentence
        assert found.answer["n_accepted"] == 1974


def test_every_contender_was_measured(measurements):
    assert all(found.cpu > 0 and found.wall > 0 and found.peak > 10 for found in measurements)
    assert "dbt_append / dbt_append_full" in dict(ratios(measurements))
    markdown = as_markdown(measurements, 2000)
    assert all(f"| {found.name} |" in markdown for found in measurements)


@pytest.mark.parametrize("key", ["n_accepted", "n_patients", "n_vip", "top_doctors"])
def test_a_contender_that_differs_is_told(key):
    answer = {
        "n_accepted": 10,
        "n_patients": 5,
        "n_vip": 2,
        "top_doctors": [["D001", "10.50"], ["D002", "9.00"]],
    }
    one = Measurement("one", 1, 1, 1, answer)
    wrong = list(reversed(answer[key])) if key == "top_doctors" else answer[key] + 1
    other = replace(one, name="other", answer={**answer, key: wrong})
    assert "agree" in check_agreement([one, replace(one, name="other")])
    with pytest.raises(ContenderError, match="one and other differ"):
        check_agreement([one, other])


def test_a_contender_that_fails_is_told_with_its_last_words(tmp_path):
    command = ["python3", "-c", "import sys; sys.exit('no such luck')"]
    with pytest.raises(ContenderError, match="no such luck"):
        run_measured("broken", command, tmp_path / "log", tmp_path, {})
