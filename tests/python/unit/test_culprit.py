"""The record that a base model fails at."""

import duckdb
import pytest
from wardhouse.streaming.culprit import find_record

QUERY = "with a as (select * from {}) select source_file, visit_id[2:]::integer as number from a"


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        connection.execute(
            "create schema raw_clinic; create schema landing; "
            "create view raw_clinic.visits as "
            "select 'clinic/' || file || '.csv' as source_file, "
            "case when file = 'b' and number = 1234 then 'Vx' else 'V' || number end as visit_id "
            "from range(1, 5001) as numbers (number) cross join (values ('a'), ('b')) as f (file); "
            "create view landing.fresh_clinic__visits as from raw_clinic.visits"
        )
        yield connection


@pytest.mark.parametrize(
    "relation", ['"memory"."raw_clinic"."visits"', "landing.fresh_clinic__visits"]
)
def test_record_that_cannot_be_converted_is_found(connection, relation):
    assert find_record(connection, QUERY.format(relation)) == "clinic/b.csv, record 1,234"


def test_query_that_does_not_fail_names_no_record(connection):
    assert find_record(connection, "select * from raw_clinic.visits") == ""
    assert find_record(connection, "select 1 / 0 as nothing_landed") == ""
