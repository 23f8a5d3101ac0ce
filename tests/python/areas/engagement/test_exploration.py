"""Tables of correlations and of tests where little or nothing is known."""

import duckdb
import pandas as pd
import pytest
from wardhouse.areas.engagement.exploration import feature_pairs, persona_differences

PEOPLE = {"person_type": "string", "persona_number": "int64", "column_name": "string"}
PEOPLE |= {"number": "float64", "level": "string"}
VALUES = {"person_type": "string", "person_key": "int64", "feature": "string", "value": "float64"}
ONE_PERSON = [("patient", 1, "a", 1.0), ("patient", 1, "b", None)]


def types_of(found: pd.DataFrame) -> dict[str, str]:
    """Give the types that a Python model of this frame has in DuckDB."""
    described = duckdb.sql("describe from found").fetchall()
    return {name: kind for name, kind, *_ in described}


@pytest.mark.parametrize("rows", [[], [("patient", 1, "age", 70.0, "highest quarter")]])
def test_tests_have_their_types_where_nothing_is_tested(rows):
    people = pd.DataFrame(rows, columns=list(PEOPLE)).astype(PEOPLE)
    found = types_of(persona_differences(people))
    assert found["test"] == found["column_name"] == "VARCHAR"
    assert {found[name] for name in ("statistic", "p_value", "effect")} == {"DOUBLE"}


@pytest.mark.parametrize("rows", [[], ONE_PERSON])
def test_pairs_have_their_types_where_nothing_is_known(rows):
    values = pd.DataFrame(rows, columns=list(VALUES)).astype(VALUES)
    found = types_of(feature_pairs(values))
    assert found["feature"] == "VARCHAR"
    assert {found[name] for name in ("pearson", "spearman_low", "missing_p")} == {"DOUBLE"}
