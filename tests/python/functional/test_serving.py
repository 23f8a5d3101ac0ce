"""A published version in PostgreSQL: a real server on loopback; and the script for Redshift."""

import threading

import duckdb
import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from serving import COSTS, PAIR, SCHEMAS, emptied, load_newest, write_pair, write_version
from typer.testing import CliRunner
from wardhouse.cli import app
from wardhouse.publish.read import newest
from wardhouse.publish.serving.column_types import KINDS, check, typed
from wardhouse.publish.serving.redshift import script
from wardhouse.publish.serving.server import audience_of, do, serving
from wardhouse.publish.versions import PublishError

READER = "set role wardhouse_reader_internal"


@pytest.fixture
def url(postgresql):
    """Return the address of a database, in which there is nothing of ours."""
    return emptied(postgresql)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "published"


def ask(url: str, query: str, *before: str) -> list[tuple]:
    with psycopg.connect(url) as connection:
        for statement in before:
            connection.execute(statement)
        return connection.execute(query).fetchall()


def schemas(url: str) -> list[str]:
    return [name for [name] in ask(url, SCHEMAS)]


# Types --------------------------------------------------------------------------------------------

TYPES = {
    "BOOLEAN": ["true", "false"],
    "TINYINT": ["-128", "127"],
    "SMALLINT": ["-32768", "32767"],
    "INTEGER": ["-2147483648", "2147483647"],
    "BIGINT": ["-9223372036854775808", "9223372036854775807", "4609434218613702656"],
    "UTINYINT": ["0", "255"],
    "USMALLINT": ["65535"],
    "UINTEGER": ["4294967295"],
    "UBIGINT": ["0", "18446744073709551615"],
    "FLOAT": ["1.5", "-0.25", "nan", "inf"],
    "DOUBLE": ["0.1", "-1.7976931348623157e308", "5e-324", "nan", "inf", "-inf"],
    "DECIMAL(4,1)": ["-999.9", "0.1"],
    "DECIMAL(9,4)": ["12345.6789"],
    "DECIMAL(18,2)": ["-1234567890123456.78", "0.05"],
    "DECIMAL(38,2)": ["999999999999999999999999999999999999.99"],
    "DECIMAL(38,0)": ["-99999999999999999999999999999999999999"],
    "VARCHAR": ["", 'Zoë said: it\'s \\N, "a"\tb\n', "\N{HOSPITAL}", "NULL"],
    "UUID": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "DATE": ["0001-01-01", "1969-12-31", "9999-12-31"],
    "TIME": ["00:00:00", "23:59:59.999999"],
    "TIMESTAMP": ["1900-01-01 00:00:00.000001", "2262-04-12 23:59:59.999999"],
    "TIMESTAMP WITH TIME ZONE": ["2024-03-31 01:30:00+00", "1969-12-31 23:00:00+00"],
    "VARCHAR[]": ["[]", "['a', NULL, 'it''s \"b\"', '\N{HOSPITAL}', '']"],
    "BIGINT[]": ["[1, NULL, -9223372036854775808]"],
    "DOUBLE[]": ["[1.5, NULL, 0.1]", "[]"],
    "DECIMAL(18,2)[]": ["[1.50, NULL, -0.05]"],
    "DATE[]": ["[1969-12-31, NULL]"],
    "TIMESTAMP[]": ["[2024-01-01 12:00:00.5]"],
    "BOOLEAN[]": ["[true, NULL]"],
    "UUID[]": ["[a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11, NULL]"],
}


def of_type(name: str) -> str:
    def written(value: str) -> str:
        quoted = value.replace("'", "''")
        return f"'{quoted}'::{name}"

    if name.startswith("VARCHAR["):
        values = [f"{value}::{name}" for value in TYPES[name]]
    else:
        values = [written(value) for value in TYPES[name]]
    rows = " union all ".join(
        f"select {place} as row_number, {value} as held" for place, value in enumerate(values)
    )
    return f"{rows} union all select {len(values)}, null"


def same(value) -> object:
    """Let two values that are not a number be equal."""
    return repr(value) if isinstance(value, float) else value


def test_each_type_makes_the_round_trip(url, folder):
    tables = {f"types.t{place}": of_type(name) for place, name in enumerate(TYPES)}
    write_version(folder, tables)
    load_newest(url, folder)
    with psycopg.connect(url) as connection, duckdb.connect() as expected:
        connection.execute("set timezone = 'UTC'")
        expected.execute("set TimeZone = 'UTC'")
        for name, (table, query) in zip(TYPES, tables.items(), strict=True):
            relation = f"wardhouse.{table.replace('.', '__')}"
            got = connection.execute(f"select held from {relation} order by row_number").fetchall()
            want = expected.sql(f"select held from ({query}) order by row_number").fetchall()
            assert [same(row[0]) for row in got] == [same(row[0]) for row in want], name


def test_every_type_of_the_table_is_tried():
    scalars = {name for name in TYPES if not name.startswith("DECIMAL") and "[" not in name}
    assert KINDS.keys() - scalars == {"HUGEINT", "JSON", "BLOB"}  # the next test's


def test_types_that_change_their_kind_arrive_as_their_values(url, folder):
    query = """
        select 'a'::enum ('a', 'b') as word, '{"a": [1]}'::json as document, 'a'::blob as bytes
    """
    write_version(folder, {"types.odd": query})
    load_newest(url, folder)
    assert ask(url, "select * from wardhouse.types__odd") == [("a", '{"a": [1]}', b"a")]


def test_empty_table_has_its_types(url, folder):
    query = "select 1::decimal(18, 2) as amount, ['a'] as words, 1::ubigint as n where false"
    write_version(folder, {"clinic.empty": query}, {"clinic.empty": ["n"]})
    load_newest(url, folder)
    described = """
        select string_agg(format_type(atttypid, atttypmod), ' ' order by attnum)
        from pg_attribute where attrelid = 'wardhouse_000001.clinic__empty'::regclass and attnum > 0
    """
    assert ask(url, described) == [("numeric(18,2) text[] numeric(20,0)",)]
    assert ask(url, "select count(*) from wardhouse.clinic__empty") == [(0,)]


COLUMN = {"name": "held", "description": ""}


@pytest.mark.parametrize(
    ("declared", "arrow"),
    [
        ("BIGINT", pa.float64()),  # 1.5 would be 4609434218613702656
        ("DATE", pa.int32()),
        ("UBIGINT", pa.uint64()),
        ("DECIMAL(18,2)", pa.decimal128(18, 4)),  # would be rounded
        ("TIMESTAMP", pa.timestamp("ns")),
        ("TIMESTAMP", pa.timestamp("us", "UTC")),
        ("VARCHAR[]", pa.list_(pa.int64())),
        ("VARCHAR[]", pa.string()),
        ("VARCHAR", pa.list_(pa.string())),
    ],
)
def test_arrow_type_that_is_not_the_columns_is_refused(declared, arrow):
    columns = typed({"name": "a.b", "columns": [{**COLUMN, "type": declared}]})
    with pytest.raises(PublishError, match=r"a\.b\.held is .*: nothing was loaded"):
        check("a.b", columns, pa.schema([("held", arrow)]))
    with pytest.raises(PublishError, match="has other columns"):
        check("a.b", columns, pa.schema([("other", arrow)]))


@pytest.mark.parametrize(
    ("query", "types", "message"),
    [
        ("select 1.5::double as held", {"held": "BIGINT"}, "is BIGINT in its manifest, and DOUBLE"),
        ("select 1::hugeint as held", {}, "is HUGEINT in its manifest, and DOUBLE"),
        ("select {{'a': 1}} as held", {}, "which has no type in PostgreSQL or Redshift here"),
        ("select 'infinity'::timestamp as held", {}, r"a\.b\.held is infinite"),
        (
            "select if(range = 250000, 'infinity', '2024-01-01')::date as held from range(300000)",
            {},
            "is infinite",
        ),
        ("select ['infinity'::date] as held", {}, r"a\.b\.held is infinite"),
        ("select 'a' || chr(0) as held", {}, r"PostgreSQL cannot take a\.b: "),
        ("select 1 as {long}", {}, "is longer than the 63 bytes of a name"),
    ],
)
def test_what_would_not_arrive_as_it_is_leaves_the_version_before(
    url, folder, query, types, message
):
    write_pair(folder, 1)
    load_newest(url, folder)
    write_version(folder, {"a.b": query.format(long="n" * 64)}, types=types)
    with pytest.raises(PublishError, match=message) as refused:
        load_newest(url, folder)
    assert "\n" not in str(refused.value)
    assert schemas(url) == ["wardhouse", "wardhouse_000001"]
    assert ask(url, COSTS) == [(1, 1)]


# What readers find --------------------------------------------------------------------------------


def test_tables_have_keys_comments_statistics_and_a_version(url, folder):
    tables = {
        "clinic.visits": "select range as visit_id, 'a' as ward from range(9)",
        "clinic.known": "select unnest([1, null]) as ward_id",
    }
    version = write_version(
        folder, tables, {"clinic.visits": ["ward", "visit_id"], "clinic.known": ["ward_id"]}
    )
    loaded = load_newest(url, folder)
    assert (loaded.schema, loaded.n_tables, loaded.n_rows, loaded.is_new) == (
        f"wardhouse_{version}",
        2,
        11,
        True,
    )
    keys = "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where "
    assert ask(url, f"{keys} contype = 'p' and conrelid::regclass::text like 'wardhouse%'") == [
        ("wardhouse_000001.clinic__visits", "PRIMARY KEY (ward, visit_id)")
    ]
    for schema in ("wardhouse", "wardhouse_000001"):
        described = f"'{schema}.clinic__visits'::regclass"
        [[table, column]] = ask(
            url,
            f"select obj_description({described}, 'pg_class'), col_description({described}, 1)",
        )
        assert table == 'What clinic.visits is; it\'s "one". One row per row.'
        assert column == "It's visit_id; $1 and \\n stay."
    assert ask(url, "select count(*) from pg_stats where schemaname = 'wardhouse_000001'") >= [(3,)]
    assert ask(
        url, "select version, audience, last_date::text, is_good from wardhouse.published"
    ) == [("000001", "internal", "2024-12-31", True)]


def test_role_reads_and_does_nothing_else(url, folder):
    write_pair(folder, 1)
    load_newest(url, folder)
    write_pair(folder, 2)
    load_newest(url, folder)
    assert ask(url, COSTS, READER) == [(2, 2)]
    assert len(ask(url, "select cost from wardhouse_000001.clinic__wards", READER)) == 3
    for statement in (
        "delete from wardhouse.clinic__wards",
        "drop view wardhouse.clinic__wards",
        "create table wardhouse.mine (a integer)",
        "delete from wardhouse_000002.clinic__wards",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(url, statement, READER)


PSEUDONYMS = {"clinic.people": "select 'a1b2' as patient_id, 'Ward 1' as ward", **PAIR}


def test_tables_of_single_patients_stay_out(url, folder, tmp_path, monkeypatch):
    tables = {name: query.format(n=1) for name, query in PSEUDONYMS.items()}
    write_version(folder, tables, {"clinic.people": ["patient_id"]}, of_patients=["clinic.people"])
    monkeypatch.setenv("WARDHOUSE_PUBLISH_DIR", str(folder))
    file = tmp_path / "load.sql"
    for asked in (["--to", url], ["--redshift-script", str(file), "--s3-prefix", "s3://bucket/a"]):
        done = CliRunner().invoke(app, ["publish", "--current", "--audience", "internal", *asked])
        assert done.exit_code == 0, done.output
        assert "1 tables of single patients stay out of the database" in done.output
    loaded = load_newest(url, folder)
    assert (loaded.n_tables, loaded.n_rows, loaded.is_new) == (2, 53, False)
    made = "select distinct relname from pg_class where relname like '%people%'"
    assert ask(url, made) == []
    assert ask(url, COSTS, READER) == [(1, 1)]
    assert ("people" in file.read_text(), "clinic__wards" in file.read_text()) == (False, True)


def test_each_audience_has_a_role_of_its_own(url, folder):
    write_version(folder, {"clinic.visits": "select 1 as cost"}, audience="shared")
    load_newest(url, folder, "shared")
    query = "select cost from wardhouse.clinic__visits"
    assert ask(url, query, "set role wardhouse_reader_shared") == [(1,)]
    with serving(f"{url.rpartition('/')[0]}/template1", "internal"):
        pass  # the other role is there, by another database
    for place in ("wardhouse", "wardhouse_000001"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(url, f"select cost from {place}.clinic__visits", READER)


# Versions -----------------------------------------------------------------------------------------


@pytest.mark.system
def test_two_versions_stay_and_one_that_is_read_until_it_is_not(url, folder):
    for cost in (1, 2):
        write_pair(folder, cost)
        load_newest(url, folder)
    with psycopg.connect(url) as reader:
        reader.execute("select * from wardhouse_000001.clinic__wards")
        write_pair(folder, 3)
        assert load_newest(url, folder).still_read == ["wardhouse_000001"]
    write_pair(folder, 4)
    assert load_newest(url, folder).still_read == []
    assert schemas(url) == ["wardhouse", "wardhouse_000003", "wardhouse_000004"]


def test_version_that_is_there_is_turned_to_without_loading_it_again(url, folder):
    for cost in (1, 2):
        write_pair(folder, cost)
        load_newest(url, folder)
    (folder / "current.json").write_text('{"version": "000001"}')
    assert load_newest(url, folder).is_new is False
    assert ask(url, COSTS) == [(1, 1)]
    assert schemas(url) == ["wardhouse", "wardhouse_000001", "wardhouse_000002"]


def test_number_of_another_folder_does_not_stand_for_its_version(url, folder, tmp_path):
    write_pair(folder, 1)
    load_newest(url, folder)
    write_pair(tmp_path / "other", 2)
    assert load_newest(url, tmp_path / "other").is_new
    assert ask(url, COSTS) == [(2, 2)]
    write_pair(tmp_path / "other", 3)
    load_newest(url, tmp_path / "other")
    assert schemas(url) == ["wardhouse", "wardhouse_000001", "wardhouse_000002"]


def test_views_of_others_read_the_new_version_and_stop_one_without_their_table(url, folder):
    write_pair(folder, 1)
    load_newest(url, folder)
    with psycopg.connect(url) as analyst:
        analyst.execute("create view mine as select max(cost) as cost from wardhouse.clinic__wards")
    write_pair(folder, 2)
    load_newest(url, folder)
    assert ask(url, "select cost from mine") == [(2,)]
    write_version(folder, {"clinic.visits": "select 3 as cost"})
    with pytest.raises(
        PublishError, match=r"no longer: view public\.mine depends on view wardhouse"
    ):
        load_newest(url, folder)
    assert ask(url, COSTS) == [(2, 2)]


def test_columns_may_change_their_types_and_comments_follow(url, folder):
    for query in ("select 1 as a, 2 as b", "select 'x' as a", "select 'x' as a, 1 as c"):
        write_version(folder, {"clinic.visits": query})
        load_newest(url, folder)
    assert ask(url, "select * from wardhouse.clinic__visits") == [("x", 1)]
    comment = "select col_description('wardhouse.clinic__visits'::regclass, 2)"
    assert ask(url, comment) == [("It's c; $1 and \\n stay.",)]
    assert ask(url, "select * from wardhouse.clinic__visits", READER) == [("x", 1)]


def test_no_version_of_another_audience_stays(url, folder, tmp_path):
    for cost in (1, 2):
        write_pair(folder, cost)
        load_newest(url, folder)
    other = tmp_path / "other"
    with psycopg.connect(url) as reader, psycopg.connect(url) as administrator:
        reader.execute("select * from wardhouse_000001.clinic__wards")
        [[number]] = administrator.execute(
            "select 'wardhouse_000001'::regnamespace::oid"
        ).fetchall()
        administrator.execute("drop schema wardhouse cascade")
        administrator.commit()
        still_read = f"wardhouse_old_{number}"
        write_version(other, {"clinic.visits": "select 1 as cost"}, audience="shared")
        assert load_newest(url, other, "shared").still_read == [still_read]
    assert load_newest(url, other, "shared").still_read == []
    assert schemas(url) == ["wardhouse", "wardhouse_000001"]
    assert ask(url, "select audience from wardhouse_000001.published") == [("shared",)]


# Readers at work ----------------------------------------------------------------------------------


def read_in_a_loop(url: str, query: str, is_over: threading.Event, seen: list, failures: list):
    with psycopg.connect(url, autocommit=True) as connection:
        while not is_over.is_set():
            try:
                seen.append(tuple(connection.execute(query, prepare=False).fetchall()))
            except psycopg.Error as error:
                failures.append(error)
                return


@pytest.mark.system
def test_readers_in_a_loop_see_one_version_each_while_loading_in_a_loop(url, folder):
    write_pair(folder, 0)
    load_newest(url, folder)
    seen, failures, is_over = [], [], threading.Event()
    turned = COSTS.replace(
        "from wardhouse.clinic__visits as visits cross join wardhouse.clinic__wards as wards",
        "from wardhouse.clinic__wards as wards cross join wardhouse.clinic__visits as visits",
    )
    assert turned != COSTS
    readers = [
        threading.Thread(target=read_in_a_loop, args=(url, query, is_over, seen, failures))
        for query in (COSTS, turned)
    ]
    for reader in readers:
        reader.start()
    for cost in range(1, 6):
        write_pair(folder, cost)
        load_newest(url, folder)
    is_over.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert all(len(costs) == 1 and costs[0][0] == costs[0][1] for costs in seen)
    assert len(set(seen)) > 2


def test_transaction_reads_one_version_and_is_named_where_it_does_not_end(url, folder):
    write_pair(folder, 1)
    load_newest(url, folder)
    write_pair(folder, 2)
    with psycopg.connect(url, application_name="a dashboard") as reader:
        reader.execute("set transaction isolation level repeatable read")
        assert len(reader.execute("select * from wardhouse.clinic__visits").fetchall()) == 50
        with pytest.raises(PublishError, match=rf"process {reader.info.backend_pid} \(a dashboard"):
            load_newest(url, folder, patience=0)
        assert reader.execute(COSTS).fetchall() == [(1, 1)]
        assert ask(url, COSTS) == [(1, 1)]
    assert load_newest(url, folder).is_new is False
    assert ask(url, COSTS) == [(2, 2)]


def test_transaction_that_is_older_than_the_load_finds_its_tables_empty(url, folder):
    """So PostgreSQL sees tables that were made since; the documentation says what to do."""
    write_pair(folder, 1)
    load_newest(url, folder)
    with psycopg.connect(url) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select count(*) from wardhouse_000001.published")
        write_pair(folder, 2)
        load_newest(url, folder)
        assert reader.execute(COSTS).fetchall() == []
        own = COSTS.replace("wardhouse.", "wardhouse_000001.")
        assert reader.execute(own).fetchall() == [(1, 1)]


def test_transaction_on_a_version_of_its_own_holds_nobody_up(url, folder):
    write_pair(folder, 1)
    load_newest(url, folder)
    with psycopg.connect(url) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select * from wardhouse_000001.clinic__visits")
        write_pair(folder, 2)
        load_newest(url, folder, patience=0)
        [[cost]] = reader.execute("select max(cost) from wardhouse_000001.clinic__wards").fetchall()
        assert cost == 1


# What is refused ----------------------------------------------------------------------------------


def test_second_loader_ends_with_a_line(url):
    with (
        serving(url, "internal"),
        pytest.raises(PublishError, match="another process loads a version"),
        serving(url, "internal", turn=0.1),
    ):
        pass


def test_schema_of_somebody_else_is_left_alone(url, folder):
    with psycopg.connect(url) as owner:
        owner.execute("create schema wardhouse")
        owner.execute("create table wardhouse.mine as select 1 as a")
    with pytest.raises(PublishError, match="holds what wardhouse did not make"):
        load_newest(url, folder)
    assert ask(url, "select a from wardhouse.mine") == [(1,)]


@pytest.fixture
def stranger(url):
    """Return the address of the database for another user, who may make schemas and functions."""
    with psycopg.connect(url, autocommit=True) as administrator:
        administrator.execute("create role stranger login")
        administrator.execute("grant create on database postgres to stranger")
        administrator.execute("grant create on schema public to stranger")
        yield url.replace("loader@", "stranger@")
        administrator.execute("drop owned by stranger cascade")
        administrator.execute("drop role stranger")


# What fits better than PostgreSQL's own in the questions of a loader, and in those of ADBC.
TRAPS = """
    create table public.called (by_whom text);
    grant insert on public.called to public;
    create function public.starts_with(name, text) returns boolean language sql
        as $$ insert into public.called values (current_user); select true $$;
    create function public.differs(regproc, integer) returns boolean language sql
        as $$ insert into public.called values (current_user); select $1::oid <> $2::oid $$;
    create operator public.<> (leftarg = regproc, rightarg = integer, function = public.differs);
"""
QUESTION = "select starts_with(nspname, 'a') from pg_namespace"


def test_function_of_another_user_is_not_called(url, folder, stranger):
    with psycopg.connect(stranger) as connection:
        connection.execute(TRAPS)
    for trap in (QUESTION, "select oid from pg_type where typreceive <> 0"):
        ask(url, trap)
        with psycopg.connect(url) as victim:
            assert victim.execute("delete from public.called returning 1").fetchone() == (1,)
    for cost in (1, 2, 3):
        write_pair(folder, cost)
        load_newest(url, folder)
    assert ask(url, "select * from public.called") == []
    assert schemas(url) == ["wardhouse", "wardhouse_000002", "wardhouse_000003"]


def test_options_of_the_address_stay(url):
    with serving(f"{url}?options=-c%20work_mem%3D5MB", "internal") as server:
        assert do(server, "select current_setting('work_mem')") == [("5MB",)]
        assert do(server, "select current_setting('search_path')") == [("pg_catalog, pg_temp",)]


def test_schemas_of_another_user_that_bear_our_mark_are_not_touched(url, folder, stranger):
    named = 'wardhouse_9"; drop schema x'
    with psycopg.connect(stranger) as connection:
        for schema in (named, "wardhouse_7"):
            name = sql.Identifier(schema)
            connection.execute(sql.SQL("create schema {}").format(name))
            connection.execute(sql.SQL("comment on schema {} is 'Wardhouse: x'").format(name))
    for cost in (1, 2, 3):
        write_pair(folder, cost)
        load_newest(url, folder)
    assert {named, "wardhouse_7"} < set(schemas(url))
    assert {"wardhouse_000002", "wardhouse_000003"} < set(schemas(url))


def test_schema_wardhouse_of_another_user_is_refused(url, folder, stranger):
    write_pair(folder, 1)
    ask(stranger, "select 1", "create schema wardhouse")
    with pytest.raises(PublishError, match="belongs to stranger: load as that user"):
        load_newest(url, folder)


def test_one_audience_does_not_take_the_place_of_the_other(url, folder):
    write_version(folder, {"clinic.visits": "select 1 as cost"}, audience="shared")
    load_newest(url, folder, "shared")
    with pytest.raises(PublishError, match="holds another audience than internal"):
        load_newest(url, folder)


def test_user_without_permissions_is_told_what_to_ask_for(url, folder):
    write_pair(folder, 1)
    with psycopg.connect(url, autocommit=True) as administrator:
        administrator.execute("create role humble login")
        administrator.execute("alter role wardhouse_reader_internal rename to put_aside")
        humble = url.replace("loader@", "humble@")
        try:
            with pytest.raises(PublishError, match="role wardhouse_reader_internal nologin"):
                load_newest(humble, folder)
        finally:
            administrator.execute("alter role put_aside rename to wardhouse_reader_internal")
        with pytest.raises(PublishError, match='grant create on database "postgres" to "humble"'):
            load_newest(humble, folder)
        administrator.execute("grant create on database postgres to humble")
    assert load_newest(humble, folder).n_tables == 2
    assert ask(url, COSTS, READER) == [(1, 1)]


SECRET = "sEcr3t"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (f"postgresql://a:{SECRET}@127.0.0.1:1/b", "cannot be reached: Connection refused"),
        (f"postgresql://a@127.0.0.1:1/b?password={SECRET}", "cannot be reached: "),
        (f"postgresql://a:%zz{SECRET}@127.0.0.1/b", "cannot be read or found"),
        (f"postgresql://a:b/{SECRET}@127.0.0.1/b", "cannot be read or found"),
        (f"postgresql://a:b@{SECRET}@127.0.0.1/b", "cannot be read or found"),
        (f"postgresql://127.0.0.1:1/b?{SECRET}", "cannot be read or found"),
    ],
)
def test_password_is_in_no_message(address, message):
    with pytest.raises(PublishError, match=message) as refused, serving(address, "shared"):
        pass
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("address", "variables", "audience"),
    [
        ("postgresql://", {}, "internal"),
        ("postgres://localhost/b", {}, "internal"),
        ("postgresql://a:b@127.0.0.1:5432/b", {}, "internal"),
        ("postgresql://a@[::1]:5432/b", {}, "internal"),
        ("postgresql:///b?host=/var/run/postgresql", {}, "internal"),
        ("postgresql://%2Fvar%2Frun/b", {}, "internal"),
        ("postgresql://a@db.example.org/b", {}, "shared"),
        ("postgresql://localhost,db.example.org/b", {}, "shared"),
        ("postgresql://localhost/b?host=db.example.org", {}, "shared"),
        ("postgresql://localhost/b?hostaddr=192.0.2.1", {}, "shared"),
        ("postgresql://localhost/b", {"PGHOSTADDR": "192.0.2.1"}, "shared"),
        ("postgresql:///b", {"PGHOST": "db.example.org"}, "shared"),
        ("postgresql:///b", {"PGSERVICE": "warehouse"}, "shared"),
        ("postgresql:///b?service=warehouse", {}, "shared"),
        ("postgresql://localhost?@db.example.org/b", {}, "shared"),
        ("postgresql://localhost.example.org/b", {}, "shared"),
    ],
)
def test_audience_is_internal_on_this_machine_alone(monkeypatch, address, variables, audience):
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert audience_of(address) == audience


def test_address_of_another_kind_is_refused():
    with pytest.raises(PublishError, match="begins with postgresql://"):
        audience_of("mysql://localhost/b")


# Redshift -----------------------------------------------------------------------------------------

REDSHIFT = """\
-- Loads version 000001 (shared, published {published_at}) into Amazon Redshift.
-- Not run by wardhouse: no Redshift was asked. First copy the files, and make the group once:
--   aws s3 sync 000001/shared/ s3://bucket/a/000001/shared/
--   create group wardhouse_reader_shared;
-- The cluster's default IAM role must be allowed to read them. This drops nothing: drop by hand the
-- views of tables that are published no more, and earlier versions; and where the schema wardhouse
-- holds another audience than shared, before this:
--   drop schema wardhouse cascade;
begin;
create schema wardhouse_000001;

create table wardhouse_000001."clinic__visits" (
    "visit_id" bigint,
    "name" varchar(64),
    "long" varchar(256),
    "longest" varchar(65535),
    "cost" numeric(18,2),
    "words" super,
    "at" timestamp,
    unique ("visit_id")
);
copy wardhouse_000001."clinic__visits" from 's3://bucket/a/000001/shared/clinic/visits.parquet' \
iam_role default format as parquet serializetojson;
comment on table wardhouse_000001."clinic__visits" is 'What clinic.visits is; it''s "one". One row \
per row.';
{comments}
analyze wardhouse_000001."clinic__visits";
grant usage on schema wardhouse_000001 to group wardhouse_reader_shared;
grant select on all tables in schema wardhouse_000001 to group wardhouse_reader_shared;
commit;

create schema if not exists wardhouse;
grant usage on schema wardhouse to group wardhouse_reader_shared;
begin;
create or replace view wardhouse."clinic__visits" as select * from \
wardhouse_000001."clinic__visits" with no schema binding;
grant select on wardhouse."clinic__visits" to group wardhouse_reader_shared;
commit;
"""
VISITS = """
    select
        1::bigint as visit_id, 'a' as name, repeat(chr(233), 50) as long,
        repeat('a', 40000) as longest, 1::decimal(18, 2) as cost, ['a'] as words,
        timestamp '2024-01-01' as at
"""


def test_redshift_script_has_its_types_and_copies_from_s3(folder):
    write_version(
        folder, {"clinic.visits": VISITS}, {"clinic.visits": ["visit_id"]}, audience="shared"
    )
    with newest(folder, "shared") as snapshot:
        told = snapshot.manifest["published_at"]
        names = [column["name"] for column in snapshot.manifest["tables"][0]["columns"]]
        text = script(snapshot, "s3://bucket/a/", "1GB")
        with pytest.raises(PublishError, match="--s3-prefix is no place on S3"):
            script(snapshot, "bucket/a", "1GB")
    comments = "\n".join(
        f'comment on column wardhouse_000001."clinic__visits"."{name}" is '
        f"'It''s {name}; $1 and \\n stay.';"
        for name in names
    )
    assert text == REDSHIFT.format(published_at=told, comments=comments)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select repeat('a', 65536) as held", "holds a text of 65536 bytes"),
        ("select 1::ubigint as held", "which Redshift does not read from Parquet"),
        ("select uuid() as held", "which Redshift does not read from Parquet"),
    ],
)
def test_what_redshift_cannot_take_is_refused(folder, query, message):
    write_version(folder, {"a.b": query})
    with newest(folder, "internal") as snapshot, pytest.raises(PublishError, match=message):
        script(snapshot, "s3://bucket/a", "1GB")
