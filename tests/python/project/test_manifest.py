"""What the project promises of itself: layers, names, descriptions, contracts, tests that run."""

import re
from dataclasses import dataclass
from graphlib import TopologicalSorter

import pytest
from builds import PROJECT
from jinja2 import Environment

pytestmark = pytest.mark.long

OURS = "wardhouse"
AREAS = ("hospital", "telehealth", "patient_flow", "growth", "engagement")
MAXIMUM_LINES = 70

# What a column must say of the person, by its name; any other needs to say nothing.
IDENTIFIES = {
    # Identifiers of the person, names, dates of birth, contacts, numbers that somebody gave the
    # person, and what people wrote freely.
    "direct": r"(patient|person)_id"
    r"|(patient|person|full|first|last|middle|family|given|maiden)_name"
    r"|.*(birth|phone|e_?mail|fax|pager|street|address|next_of_kin|guardian|emergency_contact).*"
    r"|contact(_(name|person|number))?|(mobile|cell)(_number)?|(.+_)?(url|website|ip|photo|ssn|mrn)"
    r"|.*(passport|social_security|national_id|licen[cs]e|vehicle|biometric).*"
    r"|.*(account|insurance|policy|member|medical_record|health_plan|serial|certificate)_number"
    r"|(.*_)?(comments?|notes?|remarks?|narratives?|complaints?|free)(_text)?|details|reason"
    r"|(rejected_)?record(_text)?|undeclared_values",
    # Records of a person, and what narrows down who it is; of single persons, places and days too.
    "quasi": r".+_id|(.+_)?(patient|person|stay|feedback|appointment|treatment|event)_key"
    r"|(?!is_|has_|n_|avg_)(.+_)?age(_.+)?|(.+_)?(gender|sex|race|ethnicity)"
    r"|(.+_)?insurance|comment_hash",
}
PLACE = (
    r"(.+_)?(city|town|village|county|district|region|state|country|zip|zip_code|postcode|postal_code"
    r"|latitude|longitude|location|room|bed)"
)
DAY_OR_TIME = r".+_(date|time|at)|date|time|timestamp"
# Identifiers of the staff, of places and of builds; when the pipeline did something.
NOT_OF_A_PERSON = (
    r"(provider|doctor|hospital|build|node|run|dbt_scd)_id|(dbt_.*|ingested|landed)_at"
)


@dataclass(frozen=True)
class Place:
    """Where a resource stands: its layer, and its area where the layer has areas."""

    layer: str
    area: str | None = None


# What each layer may read: layers, and of them those that must be of the reader's own area.
MAY_READ = {
    "base": {"raw", "seed"},
    "stg": {"base"},
    "snapshot": {"stg"},
    "core": {"stg", "snapshot", "seed", "core"},
    "marts": {"core", "seed", "ml", "marts"},
    "ml": {"core", "seed", "ml", "marts"},
    "quality": {
        "raw",
        "landing",
        "seed",
        "base",
        "stg",
        "snapshot",
        "core",
        "marts",
        "ml",
        "quality",
    },
    "seed": set(),
}
OF_OWN_AREA = {("base", "raw"), ("stg", "base")} | {
    (reader, read) for reader in ("marts", "ml") for read in ("marts", "ml")
}


def is_allowed(reader: Place, read: Place) -> bool:
    """Say whether one place may read another by section 1 of the design."""
    if read.layer not in MAY_READ[reader.layer]:
        return False
    return (reader.layer, read.layer) not in OF_OWN_AREA or reader.area in (None, read.area)


def place(node) -> Place:
    """Find where a resource of the manifest stands."""
    kind = str(node.resource_type)
    if kind == "source":
        return Place("raw" if node.schema.startswith("raw_") else "landing", node.source_name)
    if kind in ("seed", "snapshot"):
        return Place(kind)
    folder = node.fqn[1:-1]
    if folder[0] == "staging":
        return Place(node.name.split("_")[0], folder[1])
    if folder[0] == "marts":
        return Place(folder[1]) if folder[1] in ("core", "quality") else Place("marts", folder[1])
    assert folder[0] == "ml", f"{node.name} stands in no known layer"
    # What lists the fits of every area is of none.
    return Place("ml", folder[1] if len(folder) > 1 else None)


def is_sql(model) -> bool:
    """Say whether a model is written in SQL."""
    return str(model.language) == "sql"


def title(node) -> str:
    """Name a resource as a person would look for it."""
    return f"{node.source_name}.{node.name}" if hasattr(node, "source_name") else node.name


def pii_of(column) -> str | None:
    """Read what a column says about the person."""
    return {**column.meta, **(getattr(column.config, "meta", None) or {})}.get("pii")


@pytest.fixture(scope="session")
def models(manifest):
    return sorted(
        (node for node in manifest.nodes.values() if str(node.resource_type) == "model"),
        key=lambda node: node.name,
    )


@pytest.fixture(scope="session")
def tables(manifest, models):
    """Return everything that holds columns and is ours: models, seeds, snapshots, sources."""
    others = [n for n in manifest.nodes.values() if str(n.resource_type) in ("seed", "snapshot")]
    return [*models, *others, *manifest.sources.values()]


@pytest.fixture(scope="session")
def reads(manifest):
    """Return every pair of resources of which one reads the other."""
    readers = [
        node
        for node in manifest.nodes.values()
        if str(node.resource_type) in ("model", "snapshot", "seed")
    ]
    everything = {**manifest.nodes, **manifest.sources}
    return [
        (reader, everything[name])
        for reader in readers
        for name in getattr(reader.depends_on, "nodes", [])
    ]


@pytest.fixture(scope="session")
def our_macros(manifest):
    """Return our macros, without tests and without engines' versions of a described one."""
    return sorted(
        (
            macro
            for macro in manifest.macros.values()
            if macro.package_name == OURS
            and not macro.name.startswith(("test_", "duckdb__", "default__"))
        ),
        key=lambda macro: macro.name,
    )


def test_every_layer_reads_only_what_it_may(reads):
    assert len(reads) > 40
    wrong = [
        f"{reader.name} ({place(reader)}) reads {title(read)} ({place(read)})"
        for reader, read in reads
        if not is_allowed(place(reader), place(read))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("reader", "read"),
    [
        (Place("base", "hospital"), Place("raw", "growth")),
        (Place("base", "hospital"), Place("base", "hospital")),
        (Place("stg", "hospital"), Place("raw", "hospital")),
        (Place("stg", "hospital"), Place("seed")),
        (Place("core"), Place("base", "hospital")),
        (Place("core"), Place("marts", "hospital")),
        (Place("marts", "hospital"), Place("stg", "hospital")),
        (Place("marts", "hospital"), Place("marts", "growth")),
        (Place("marts", "hospital"), Place("ml", "growth")),
        (Place("ml", "hospital"), Place("landing", "landing")),
        (Place("marts", "hospital"), Place("quality")),
        (Place("snapshot"), Place("core")),
    ],
    ids=lambda found: f"{found.layer}-{found.area}",
)
def test_the_rule_refuses_what_the_design_forbids(reader, read):
    assert not is_allowed(reader, read)


def test_areas_form_no_cycle(reads):
    graph: dict[str, set[str]] = {}
    for reader, read in reads:
        ours, theirs = place(reader), place(read)
        if ours.layer != "quality" and ours.area and theirs.area and ours.area != theirs.area:
            graph.setdefault(ours.area, set()).add(theirs.area)
    TopologicalSorter(graph).prepare()


def test_base_models_are_named_after_the_feed_they_read(models, manifest):
    for model in models:
        if place(model).layer == "base":
            [source] = [
                manifest.sources[n] for n in model.depends_on.nodes if n in manifest.sources
            ]
            assert model.name == f"base_{source.source_name}__{source.name}"


def test_names_tell_the_layer(models):
    patterns = {
        "base": r"base_{area}__[a-z0-9_]+",
        "stg": r"stg_{area}__[a-z0-9_]+",
        # A fact is atomic; aggregates and the areas' members are named for what they are.
        "core": rf"(dim|fct)_[a-z0-9_]+|({'|'.join(AREAS)})_(patients|providers)"
        r"|(?!(stg|base|int|mart)_)[a-z_]+_(totals|flows|hours|uses)",
        "marts": r"(?!(dim|fct|stg|base|int|mart)_)[a-z][a-z0-9_]+",
        "ml": r"(?!(dim|fct|stg|base|int|ml)_)[a-z][a-z0-9_]+",
        "quality": r"(?!(dim|fct|stg|base|int)_)[a-z][a-z0-9_]+",
    }
    wrong = [
        model.name
        for model in models
        if not re.fullmatch(
            patterns[place(model).layer].replace("{area}", place(model).area or ""), model.name
        )
    ]
    assert wrong == []
    assert {place(model).layer for model in models} == patterns.keys()


def test_schemas_tell_the_layer(models):
    for model in models:
        found = place(model)
        expected = {"base": "staging", "stg": "staging", "marts": found.area}
        assert model.schema == expected.get(found.layer, found.layer), model.name


def test_everything_with_columns_is_described(tables):
    assert [title(table) for table in tables if not table.description.strip()] == []
    assert [title(table) for table in tables if not table.columns] == []
    assert len(tables) > 30


def test_every_column_is_described(tables):
    missing = [
        f"{title(table)}.{column.name}"
        for table in tables
        for column in table.columns.values()
        if not column.description.strip()
    ]
    assert missing == []


def test_what_an_engine_spells_its_own_way_lies_with_the_engine(manifest):
    ours = [macro for macro in manifest.macros.values() if macro.package_name == OURS]
    dispatched = [macro for macro in ours if macro.name.startswith("duckdb__")]
    assert len(dispatched) > 10
    folder = "macros/engines/duckdb/"
    wrong = [m.name for m in dispatched if not m.original_file_path.startswith(folder)]
    assert wrong == []
    here = [macro for macro in ours if macro.original_file_path.startswith(folder)]
    assert sorted(macro.name for macro in here) == sorted(macro.name for macro in dispatched)


def test_every_macro_and_every_argument_is_described(our_macros):
    assert len(our_macros) > 30
    missing = [macro.name for macro in our_macros if not macro.description.strip()]
    for macro in our_macros:
        if macro.name.startswith("materialization_"):
            continue  # has no arguments
        header = re.search(rf"macro\s+{macro.name}\s*\((.*?)\)\s*-?%}}", macro.macro_sql, re.DOTALL)
        # A default may hold commas: names are what stands before an equals sign or alone.
        defaults = re.sub(r"=\s*(\[[^\]]*\]|'[^']*'|[^,]+)", "", header[1])
        names = [name.strip() for name in defaults.split(",") if name.strip()]
        described = [argument.name for argument in macro.arguments if argument.description.strip()]
        if names != described:
            missing.append(f"{macro.name}: arguments {names}, described {described}")
    assert missing == []


def test_descriptions_end_with_the_grain(tables):
    wrong = [
        title(table)
        for table in tables
        # A source as a whole has no rows; its tables do.
        if not re.search(r"(^|[.:]\s+)One\s+row\s+per\s[^.]+\.\s*$", table.description)
    ]
    assert wrong == []


def test_documented_columns_are_the_real_ones_in_their_order(tables, sample):
    real: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in sample.query(
        "select table_schema, table_name, column_name from information_schema.columns "
        "where table_catalog = current_database() order by table_schema, table_name, "
        "ordinal_position"
    ):
        real.setdefault((schema, table), []).append(column)
    wrong = {}
    for table in tables:
        found = real.get((table.schema, table.name), [])
        documented = [column.name for column in table.columns.values()]
        # Every landed feed has these beside its declared columns.
        if table.schema.startswith("raw_"):
            documented += ["undeclared_values"] if table.meta.get("keep_undeclared") else []
            documented += ["source_file", "unreadable_text"]
        if found != documented:
            wrong[title(table)] = {"documented": documented, "real": found}
    assert wrong == {}


def test_contracts_are_enforced_on_everything_people_read(models):
    contracted = [m for m in models if place(m).layer not in ("base", "stg") and is_sql(m)]
    assert len(contracted) > 15
    assert [m.name for m in contracted if not m.config.contract.enforced] == []


def test_models_are_short(models):
    lengths = {
        model.name: len((PROJECT / model.original_file_path).read_text().splitlines())
        for model in models
    }
    assert {name: n for name, n in lengths.items() if n > MAXIMUM_LINES} == {}


def test_areas_say_what_sources_and_folders_hold(manifest, models):
    returned = []
    environment = Environment()
    environment.globals["return"] = returned.append
    environment.from_string(manifest.macros[f"macro.{OURS}.areas"].macro_sql).module.areas()
    [said] = returned
    feeds, statistics, fits, metrics = set(), set(), set(), set()
    for source in manifest.sources.values():
        if source.schema.startswith("raw_"):
            feeds.add((source.source_name, source.name))
    for model in models:
        if model.name.endswith("_insight_statistics"):
            statistics.add((place(model).area, model.name))
        # A table with a fit of each person type is read through a view of each.
        elif model.name.endswith("_fit") and "person_type" not in model.columns:
            fits.add((place(model).area, model.name))
        elif "alert_metrics_" in model.name and model.name != "alert_metrics_builds":
            metrics.add(model.name)

    def told(kind):
        pairs = [(area, name) for area, brought in said.items() for name in brought.get(kind, [])]
        assert len(pairs) == len(set(pairs)) >= 2
        return set(pairs)

    assert told("feeds") == feeds
    assert told("fits") == fits
    assert told("insight_statistics") == statistics
    assert {name for _, name in told("alert_metrics")} == metrics
    assert {kind for brought in said.values() for kind in brought} <= {
        *("feeds", "fits", "insight_statistics", "alert_metrics")
    }


def pii_needed(name: str, rows_of: str) -> set[str]:
    """Name what a column may say of the person: `direct`, either of the two, or anything."""
    if re.fullmatch(NOT_OF_A_PERSON, name):
        return {"direct", "quasi", None}
    if rows_of != "staff" and re.fullmatch(IDENTIFIES["direct"], name):
        return {"direct"}
    of_one = rows_of == "patients" and re.fullmatch(f"{PLACE}|{DAY_OR_TIME}", name)
    if of_one or re.fullmatch(IDENTIFIES["quasi"], name):
        return {"direct", "quasi"}
    return {"direct", "quasi", None}


def rows_of(table) -> str:
    """Say whether rows are of single patients, of the staff, or of something else."""
    persons = r"(patient|person)_id|(.+_)?(patient|person|stay|appointment)_key|appointment_id"
    if any(re.fullmatch(persons, name) for name in table.columns):
        return "patients"
    return "staff" if {"provider_id", "doctor_id"} & set(table.columns) else "others"


def test_every_column_that_tells_of_a_person_says_so(tables):
    described = [table for table in tables if str(table.resource_type) != "seed"]
    wrong = [
        f"{title(table)}.{column.name}: {pii_of(column)}"
        for table in described
        for column in table.columns.values()
        if pii_of(column) not in pii_needed(column.name, rows_of(table))
    ]
    assert wrong == []
    said = [pii_of(c) for table in described for c in table.columns.values()]
    assert said.count("direct") > 60
    assert said.count("quasi") > 150


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("patient_id", "direct"),
        ("date_of_birth", "direct"),
        ("home_phone", "direct"),
        ("email", "direct"),
        ("last_name", "direct"),
        ("clinical_notes", "direct"),
        ("chief_complaint", "direct"),
        ("emergency_contact", "direct"),
        ("contact_person", "direct"),
        ("mobile_number", "direct"),
        ("ip_address", "direct"),
        ("medical_record_number", "direct"),
        ("driving_licence", "direct"),
        ("order_id", "quasi"),
        ("patient_key", "quasi"),
        ("age_at_admission", "quasi"),
        ("reported_age", "quasi"),
        ("gender", "quasi"),
        ("home_city", "quasi"),
        ("postal_code", "quasi"),
        ("home_latitude", "quasi"),
        ("room", "quasi"),
        ("ordered_at", "quasi"),
        ("doctor_id", None),
        ("doctor_name", None),
        ("contact_count", None),
        ("is_mobile", None),
        ("n_visits", None),
        ("average_wait_minutes", None),
    ],
)
def test_a_new_column_that_identifies_must_say_so(name, needed):
    allowed = pii_needed(name, "patients")
    assert (None in allowed) == (needed is None)
    assert ("quasi" in allowed) == (needed != "direct")


def counts_people(model) -> bool:
    """Say whether a table tells how many, or what share, without being of single patients."""
    counts = r"n|n_.+|.*census|(.+_)?(rate|share)"
    read = place(model).layer in ("core", "marts", "ml") or model.name in ("insights", "alerts")
    told = any(re.fullmatch(counts, name) for name in model.columns)
    return read and rows_of(model) != "patients" and (told or model.name == "alerts")


def test_tables_that_count_people_say_who_may_read_them(models):
    """By `meta.publish` with its reason, or by why they are not published."""
    words = {"internal": "Internal: ", "shared": "Shared: ", None: "Not published: "}
    counting = [model for model in models if counts_people(model)]
    assert len(counting) > 35
    wrong = []
    for model in models:
        publish = model.config.meta.get("publish")
        said = [audience for audience, word in words.items() if word in model.description]
        if said != [publish] and (model in counting or said or publish):
            wrong.append(f"{model.name}: publish is {publish}, the description says {said}")
    assert wrong == []


# Where a value is a person's or a record's of one: it leaves as a pseudonym or not at all.
OF_ONE = (
    r"(patient|person|appointment|treatment|encounter|claim|feedback|event|stay|record|member)_id"
    r"|(.+_)?(patient|person|appointment|treatment|encounter|claim|feedback|event|stay)_key"
)


def published(models) -> list:
    """Return the models that declare an audience."""
    return [model for model in models if model.config.meta.get("publish")]


def pseudonyms(model) -> set[str]:
    """Name the columns that leave as pseudonyms."""
    return {
        name
        for name, column in model.columns.items()
        if column.config.meta.get("publish_as") == "pseudonym"
    }


def test_what_is_published_identifies_nobody(models):
    """Single patients go to internal readers alone, and what names one leaves as a pseudonym."""
    assert {model.config.meta["publish"] for model in published(models)} == {"internal", "shared"}
    of_single = [model for model in published(models) if rows_of(model) == "patients"]
    assert len(of_single) > 2
    wrong = [model.name for model in of_single if model.config.meta["publish"] != "internal"]
    for model in published(models):
        names = {name for name in model.columns if re.fullmatch(OF_ONE, name)}
        direct = {name for name, column in model.columns.items() if pii_of(column) == "direct"}
        if not names <= direct or direct != pseudonyms(model):
            wrong.append(model.name)
    assert wrong == []


def test_what_names_doctors_days_or_hours_is_not_shared(models):
    """It is of few patients; and a doctor is staff, named to those who run the place alone."""
    few = r"(.+_)?(doctor|provider|referrer)_(id|key|name)|.*_(date|hour|at)|date_day|hour_.*"
    wrong = [
        f"{model.name}.{name}"
        for model in published(models)
        if model.config.meta["publish"] == "shared"
        for name in model.columns
        if re.fullmatch(few, name)
    ]
    assert wrong == []


def test_ages_are_published_as_groups(models):
    """Whose oldest has no upper end: 65 and more, so that nobody of 90 or more is told apart."""
    ages = r"(?!is_|has_|n_|avg_)(.+_)?age(_.+)?"
    found = {
        name for model in published(models) for name in model.columns if re.fullmatch(ages, name)
    }
    assert found == {"age_group"}


def test_every_test_there_is_did_run_and_pass(manifest, sample):
    defined = [n.name for n in manifest.nodes.values() if str(n.resource_type) == "test"]
    defined += [test.name for test in manifest.unit_tests.values()]
    assert len(defined) == len(set(defined)) > 80
    outcomes = {name: sample.statuses.get(name, "did not run") for name in defined}
    assert {name: status for name, status in outcomes.items() if status != "pass"} == {}


def test_everything_else_there_is_was_built(manifest, sample):
    kinds = ("model", "seed", "snapshot")
    built = [n.name for n in manifest.nodes.values() if str(n.resource_type) in kinds]
    outcomes = {name: sample.statuses.get(name, "was not built") for name in built}
    assert {name: status for name, status in outcomes.items() if status != "success"} == {}


def test_every_rule_of_base_core_and_marts_has_a_unit_test(manifest, models):
    tested = {node for test in manifest.unit_tests.values() for node in test.depends_on.nodes}
    layers = ("base", "stg", "core", "marts")
    expected = [m for m in models if place(m).layer in layers and is_sql(m)]
    assert [m.name for m in expected if m.unique_id not in tested] == []


def test_unit_tests_are_named_as_sentences(manifest):
    names = [test.name for test in manifest.unit_tests.values()]
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+){3,}", name)] == []


def test_every_declared_constraint_is_held_by_the_table(models, sample):
    """What dbt cannot tell of materializations other than its own, the database can."""
    held = set()
    for schema, table, kind, columns in sample.query(
        "select schema_name, table_name, constraint_type, constraint_column_names "
        "from duckdb_constraints()"
    ):
        held.update((schema, table, kind, column) for column in columns)
    kinds = {"not_null": "NOT NULL", "check": "CHECK", "unique": "UNIQUE"}
    declared = {
        (model.schema, model.name, kinds[constraint.type.value], column.name)
        for model in models
        if model.config.materialized != "view"
        for column in model.columns.values()
        for constraint in column.constraints
        if constraint.type.value in kinds
    }
    by_us = {name for _, name, *_ in declared} & {
        model.name for model in models if model.config.materialized.startswith("incremental_by_")
    }
    assert len(declared) > 200
    assert len(by_us) > 8
    assert declared - held == set()


def test_every_column_that_may_be_unreadable_is_counted(manifest, models):
    """By the repairs and reasons that a base model's code names."""
    found = {}
    for model in models:
        if not model.name.startswith("base_"):
            continue
        code = model.raw_code
        named = {raw or typed for typed, raw in re.findall(r"unread\('(\w+)'(?:, '(\w+)')?", code)}
        named |= set(re.findall(r"missing_or\('\w+', '(\w+)'\)", code))
        named |= set(re.findall(r"taken_as_zero\('\w+', '(\w+)'\)", code))
        counted = {column.config.meta.get("raw_column") for column in model.columns.values()}
        [source] = [manifest.sources[name] for name in model.depends_on.nodes if "source." in name]
        known = set(source.columns) | {"scheduled_time", "duration_minutes"}  # of events' details
        assert counted - {None} <= known, model.name
        missed = named - counted - {"appointment_id"}  # an identifier is what it says
        if missed:
            found[model.name] = missed
    assert found == {}
