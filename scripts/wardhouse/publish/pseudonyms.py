"""Identifiers of people leave as pseudonyms: made here with a key that the warehouse never sees."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from wardhouse.publish.declared import Table

LENGTH = 32  # hexadecimal digits: half of SHA-256, more than any number of patients collides in
ENDINGS = ("_key", "_id")


def pseudonym(key: str, domain: str, value: str) -> str:
    """Return the pseudonym of a value: the same wherever the key and the domain are.

    Parameters
    ----------
    key
        Of the environment (`WARDHOUSE_PSEUDONYM_KEY`). Who has it can test who somebody is; a new
        one makes new pseudonyms.
    domain
        What the value identifies, such as patient: two kinds of things share no pseudonym.
    value
        The identifier.
    """
    message = f"{domain}:{value}".encode()
    return hmac.digest(key.encode(), message, "sha256").hex()[:LENGTH]


def domain_of(column: str) -> str:
    """Tell what a column identifies: its name without `_key` or `_id`."""
    for ending in ENDINGS:
        column = column.removesuffix(ending)
    return column


def pseudonymised(rows: pa.Table, table: Table, key: str) -> pa.Table:
    """Return rows of which the identifying columns hold pseudonyms; what is null stays so.

    Parameters
    ----------
    rows
        As they are in the warehouse.
    table
        What they are declared to be: its `pseudonyms` are replaced.
    key
        As of `pseudonym`.
    """
    import pyarrow as pa

    for name in table.pseudonyms:
        domain = domain_of(name)
        codes = rows[name].combine_chunks().dictionary_encode()
        named = [
            None if value is None else pseudonym(key, domain, str(value))
            for value in codes.dictionary.to_pylist()
        ]
        values = pa.DictionaryArray.from_arrays(codes.indices, pa.array(named, pa.string()))
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, values.cast(pa.string()))
    return rows
