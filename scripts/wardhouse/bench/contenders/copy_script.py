"""As one would load a CSV into PostgreSQL by hand: psycopg's COPY, in pieces of 64 KB."""

from pathlib import Path

import psycopg


def load(url: str, table: str, csv: Path) -> None:
    """Append a CSV with a header to a table, and commit.

    Parameters
    ----------
    url
        Of the database.
    table
        There, with the columns of the file.
    csv
        The file.
    """
    statement = f"copy {table} from stdin (format csv, header)"
    with (
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
        csv.open("rb") as file,
    ):
        while piece := file.read(2**16):
            copy.write(piece)
