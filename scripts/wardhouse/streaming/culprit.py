# ruff: noqa: S608 - the texts put into SQL are the project's own query and names
"""The record at which a base model fails: DuckDB's errors name neither file nor record."""

import re
from typing import Any

import duckdb

from wardhouse.warehouse import quote

# What a base model reads: all records of a feed, or in an increment those of its new files.
LANDED = re.compile(r'(?:"\w+"\.)?"?raw_\w+"?\."?\w+"?|landing\.fresh_\w+')


def find_record(connection: Any, query: str) -> str:
    """Find the first record of which a query over landed records fails.

    Parameters
    ----------
    connection
        Connection to the warehouse, as the failed build left it.
    query
        Compiled SQL of the base model.

    Returns
    -------
    str
        File and number of the record, from 1; empty where the query does not fail by itself, as
        with a constraint of the table. The records are read some twenty times for it.
    """
    landed = LANDED.search(query)
    if not landed or not _fails(connection, query):
        return ""

    def fails(records: str) -> bool:
        return _fails(connection, query.replace(landed[0], f"({records})"))

    files = connection.execute(f"select distinct source_file from {landed[0]} order by all")
    for (file,) in files.fetchall():
        records = f"select * from {landed[0]} where source_file = {quote(file)}"
        if not fails(records):
            continue
        [n_records] = connection.execute(f"select count(*) from ({records})").fetchone()
        lowest, highest = 1, n_records
        while lowest < highest:
            middle = (lowest + highest) // 2
            if fails(f"{records} limit {middle}"):
                highest = middle
            else:
                lowest = middle + 1
        return f"{file}, record {lowest:,}"
    return ""


def _fails(connection: Any, query: str) -> bool:
    try:
        connection.execute(f"select bit_xor(hash(record)) from ({query}) as record").fetchall()
    except duckdb.Error:
        return True
    return False
