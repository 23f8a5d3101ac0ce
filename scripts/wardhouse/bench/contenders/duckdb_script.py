"""The hospital by hand: one DuckDB script, from the raw files to the exports.

What an engineer would write who wants it fast and nothing more: natural keys, no tests, no
increments. It is the yardstick of `wardhouse bench`.

Usage: python duckdb_script.py RAW_DIR OUT_DIR
"""

# ruff: noqa: S608 (SQL is put together from constants and from the two paths given)

import json
import resource
import sys
from pathlib import Path

import duckdb
import numpy as np

FEATURES = "total_revenue, n_visits, avg_spent, avg_feedback"
VIP_SEED, VIP_MAX_ROWS = 42, 200_000

MACROS = r"""
create temp macro known(x) as
    case when lower(x) not in (
        '', 'n/a', '#n/a', '<na>', 'na', 'null', 'none', 'nil', 'nan', '-', '--', '?', '.',
        'unknown'
    ) then x end;
create temp macro identifier(x) as
    case when x[-1] between '0' and '9' then upper(trim(x)) else known(upper(trim(x))) end;
create temp macro amount(x) as coalesce(
    try_cast(x as decimal(18, 2)),
    try_cast(regexp_replace(
        regexp_replace(x, '[$€£, ]', '', 'g'), '^[(](.*)[)]$', '-\1'
    ) as decimal(18, 2))
);
create temp macro calendar_date(x) as coalesce(
    try_cast(case when x between '1990' and '2051' and x like '____-__-__' then x end as date),
    try_strptime(regexp_replace(trim(x), '[ T]\d+:\d\d(:\d\d)?$', ''), [
        '%Y-%m-%d', '%Y/%m/%d', '%d/%m/%Y', '%d-%m-%Y', '%d.%m.%Y', '%Y%m%d',
        '%b %d, %Y', '%B %d, %Y', '%d %b %Y', '%d %B %Y'
    ])::date
);
create temp macro possible(x) as
    case when x between date '1990-01-01' and date '2050-12-31' then x end;
create table quarantine (feed varchar, reason varchar, record varchar);
"""

TREATMENTS = """
create table treatments as
with parsed as (
    select
        raw,
        identifier(treatment_id) as treatment_id,
        identifier(patient_id) as patient_id,
        identifier(doctor_id) as doctor_id,
        trim(treatment_type) as treatment_type,
        amount(treatment_cost) as known_cost,
        amount(room_cost) as known_room_cost,
        calendar_date(treatment_date) as parsed_date
    from read_csv('{raw}/patients_data_with_doctor{parts}.csv', columns = {{
        treatment_id: 'varchar', patient_id: 'varchar', doctor_id: 'varchar',
        treatment_type: 'varchar', treatment_cost: 'varchar', room_cost: 'varchar',
        treatment_date: 'varchar'
    }}, auto_detect = false, header = true, quote = '"', escape = '"', store_rejects = true,
        rejects_limit = 0) as raw
),

judged as (
    select
        *,
        possible(parsed_date) as treatment_date,
        known_cost is null or known_room_cost is null
            or (possible(parsed_date) is null and raw.treatment_date <> '') as is_repaired,
        case
            when treatment_id is null then 'missing_treatment_id'
            when patient_id is null then 'missing_patient_id'
            when doctor_id is null then 'missing_doctor_id'
            when known_cost < 0 then 'negative_treatment_cost'
            when known_room_cost < 0 then 'negative_room_cost'
        end as reason
    from parsed
)

select
    treatment_id, patient_id, doctor_id, treatment_type,
    coalesce(known_cost, 0)::decimal(18, 2) as treatment_cost,
    coalesce(known_room_cost, 0)::decimal(18, 2) as room_cost,
    treatment_date, is_repaired, reason,
    case when reason is not null then to_json(raw)::varchar end as record
from judged;

insert into quarantine
select 'treatments', min(lower(error_type::varchar)), any_value(csv_line)
from reject_errors group by scan_id, file_id, line_byte_position;
"""

# Only ids that occur more than once are looked at closely.
TREATMENT_DUPLICATES = """
create temp table repeated as
select
    treatments.rowid as id, treatments.*,
    hash(patient_id, doctor_id, treatment_type, treatment_cost, room_cost, treatment_date,
        is_repaired) as content,
    min(content) over (partition by treatment_id) <> max(content) over (partition by treatment_id)
        as is_conflict,
    row_number() over (partition by treatment_id order by id) > 1 as is_copy
from treatments
where reason is null and treatment_id in (
    select treatment_id from treatments where reason is null group by all having count(*) > 1
);
insert into quarantine
select 'treatments', 'conflicting_treatment_id', to_json(repeated)::varchar
from repeated where is_conflict;
insert into quarantine
select 'treatments', reason, record from treatments where reason is not null;
delete from treatments where reason is not null;
delete from treatments where rowid in (select id from repeated where is_conflict or is_copy);
alter table treatments drop reason; alter table treatments drop record;
"""

DOCTORS = """
create temp table doctor_records as
select
    identifier(doctor_id) as doctor_id, nullif(trim(doctor_name), '') as doctor_name,
    nullif(trim(specialty), '') as specialty
from read_csv('{raw}/doctors_info.csv', columns = {{
    doctor_id: 'varchar', doctor_name: 'varchar', specialty: 'varchar'
}}, auto_detect = false, header = true, quote = '"', escape = '"', store_rejects = true,
    rejects_table = 'doctor_rejects', rejects_scan = 'doctor_scans', rejects_limit = 0);
insert into quarantine select 'doctors', 'missing_doctor_id', to_json(doctor_records)::varchar
from doctor_records where doctor_id is null;
insert into quarantine select 'doctors', lower(error_type::varchar), csv_line from doctor_rejects;
create table doctors as
select doctor_id, last(doctor_name order by rowid) as doctor_name,
    last(specialty order by rowid) as specialty
from doctor_records where doctor_id is not null group by doctor_id;
"""

FEEDBACK = """
create table feedback as
with parsed as (
    select
        raw,
        identifier(patient_id) as patient_id,
        identifier(treatment_id) as treatment_id,
        try_cast(patient_feedback_score as decimal(18, 4)) as score,
        calendar_date(review_date) as parsed_date
    from read_json('{raw}/patient_feedback.json', format = 'array', columns = {{
        patient_id: 'varchar', treatment_id: 'varchar', patient_feedback_score: 'varchar',
        review_date: 'varchar'
    }}) as raw
),

judged as (
    select
        * exclude (parsed_date),
        possible(parsed_date) as review_date,
        possible(parsed_date) is null and raw.review_date <> '' as is_repaired,
        case
            when patient_id is null then 'missing_patient_id'
            when score is null then 'missing_score'
            when score not between 1 and 5 then 'score_outside_1_to_5'
        end as reason
    from parsed
)

select
    * exclude (raw),
    case when reason is not null then to_json(raw)::varchar end as record
from judged;
insert into quarantine select 'feedback', reason, record from feedback where reason is not null;
delete from feedback where reason is not null;
alter table feedback drop reason; alter table feedback drop record;

-- An answer that names neither treatment nor day is nobody's copy.
create temp table answer_hashes as
select rowid as id, hash(patient_id, treatment_id, score, review_date, is_repaired) as content
from feedback where coalesce(treatment_id, review_date::varchar) is not null;
delete from feedback where rowid in (
    select id from answer_hashes
    where content in (select content from answer_hashes group by all having count(*) > 1)
    qualify row_number() over (partition by content order by id) > 1
);
"""

SUMMARIES = """
create table patient_feedback as
select patient_id, count(*) as n_feedback, (sum(score) / count(*))::decimal(18, 6) as avg_feedback
from feedback group by patient_id;

create temp table care as
select patient_id, doctor_id, count(*) as n_treatments,
    sum(treatment_cost + room_cost)::decimal(18, 2) as revenue
from treatments group by patient_id, doctor_id;

create table all_doctors as
select coalesce(doctors.doctor_id, mentioned.doctor_id) as doctor_id, doctor_name, specialty
from doctors full join (select distinct doctor_id from care) as mentioned using (doctor_id);
"""

DOCTOR_FIGURES = """
create temp table doctor_feedback as
with weighted as (
    select doctor_id, n_treatments::decimal(9, 0) as w, avg_feedback::decimal(7, 6) as x
    from care inner join patient_feedback using (patient_id)
)

select
    doctor_id, count(*) as n, sum(w)::double as weights, sum(w * x)::double / weights as mean,
    sqrt(greatest(0, sum(w * w * x * x)::double - 2 * mean * sum(w * w * x)::double
        + mean * mean * sum(w * w)::double) * n / nullif(n - 1, 0)) / weights as standard_error,
    sum(x)::double as total, sum(x * x)::double as squares
from weighted group by doctor_id;

create table doctor_ranking as
with figures as (
    select doctor_id, sum(revenue) as revenue, sum(n_treatments) as n_treatments,
        count(*) as n_patients
    from care group by doctor_id
)

select
    rank() over (order by coalesce(revenue, 0) desc) as revenue_rank, doctor_id, doctor_name,
    specialty, coalesce(revenue, 0)::decimal(18, 2) as total_revenue,
    round(mean::decimal(38, 8), 2) as avg_feedback, coalesce(n_treatments, 0) as n_treatments,
    coalesce(n_patients, 0) as n_patients, coalesce(n, 0) as n_patients_with_feedback,
    standard_error, total_revenue / sum(total_revenue) over () as revenue_share
from all_doctors left join figures using (doctor_id) left join doctor_feedback using (doctor_id)
order by revenue_rank, doctor_id;

create table revenue_by_month as
with months as (
    select doctor_id, date_trunc('month', treatment_date) as month, count(*) as n_treatments,
        sum(treatment_cost + room_cost) as total_revenue
    from treatments group by all
)

select * from months inner join all_doctors using (doctor_id) order by doctor_id, month;

create table feedback_coverage as
with patients as (
    select doctor_id, coalesce(specialty, 'Unknown') as specialty, care.patient_id,
        patient_feedback.patient_id as answering
    from care inner join all_doctors using (doctor_id)
    left join patient_feedback using (patient_id)
),

counted as (
    select 'doctor' as level, doctor_id as name, count(*) as n, count(answering) as k
    from patients group by doctor_id
    union all
    select 'specialty', specialty, count(distinct patient_id), count(distinct answering)
    from patients group by specialty
)

select *, k / n as rate, (k + 1.9207 - 1.96 * sqrt(k * (n - k) / n + 0.9604)) / (n + 3.8415) as low,
    (k + 1.9207 + 1.96 * sqrt(k * (n - k) / n + 0.9604)) / (n + 3.8415) as high
from counted order by all;
"""

# The unit of the test is the patient; the others are those whom the doctor never treated.
TEST_SUMS = """
with everyone as (
    select count(*) as n, sum(avg_feedback)::double as total,
        sum(avg_feedback::decimal(7, 6) * avg_feedback::decimal(7, 6))::double as squares
    from patient_feedback where patient_id in (select patient_id from care)
)

select doctor_id, one.n, one.total, one.squares, everyone.n - one.n as n_others,
    everyone.total - one.total as total_others, everyone.squares - one.squares as squares_others
from doctor_feedback as one cross join everyone
where one.n >= 5 and n_others >= 5 order by doctor_id
"""

TOP_DOCTORS = """
create table top_doctors as
select
    doctor_ranking.*, total_revenue >= avg(total_revenue) over () as is_high_revenue,
    case
        when avg_feedback is null then 'Collect feedback before judging'
        when avg_feedback < 3 then 'Service-quality review and training'
        else 'Promote and reward'
    end as action,
    p_value, p_value_adjusted
from doctor_ranking left join doctor_tests using (doctor_id)
qualify row_number() over (order by revenue_rank, doctor_id) <= 5 order by revenue_rank, doctor_id;
"""

FEATURE_TABLE = """
create table vip_features as
with patients as (
    select patient_id, sum(revenue)::decimal(18, 2) as total_revenue,
        sum(n_treatments)::bigint as n_visits
    from care group by patient_id
),

answers as (
    select patients.*, avg_feedback from patients left join patient_feedback using (patient_id)
)

select
    patient_id, total_revenue, n_visits, total_revenue::double / n_visits as avg_spent,
    coalesce(avg_feedback::double, mean::double) as avg_feedback, avg_feedback is null as is_imputed
from answers cross join (
    select coalesce(sum(avg_feedback) / count(avg_feedback), 3) as mean from answers
);
"""

LABELS = """
create table patient_vip as
select patient_id, {distances[1]} < {distances[0]} as is_vip from vip_features;
"""

PROCESSED = """
copy (
    select
        treatment_id, patient_id, doctor_id, doctor_name, specialty, treatment_type, treatment_cost,
        room_cost, (treatment_cost + room_cost)::decimal(18, 2) as total_revenue, treatment_date,
        avg_feedback::double as avg_feedback, coalesce(n_feedback, 0) as n_feedback
    from treatments left join all_doctors using (doctor_id)
    left join patient_feedback using (patient_id)
) to '{out}/processed.parquet' (format parquet, compression zstd);
copy (from '{out}/processed.parquet') to '{out}/processed.csv' (header true);
"""

ENRICHED = """
copy (
    select processed.*, if(is_vip, 'VIP', 'Non-VIP') as vip_status
    from '{out}/processed.parquet' as processed left join patient_vip using (patient_id)
) to '{out}/enriched.parquet' (format parquet, compression zstd);
copy (from '{out}/enriched.parquet') to '{out}/enriched.csv' (header true);
"""

ANSWER = """
select
    (select count(*) from treatments),
    (select count(*) filter (is_vip) from patient_vip),
    (select count(*) from patient_vip),
    (select list((doctor_id, total_revenue::varchar, avg_feedback::varchar)
        order by revenue_rank, doctor_id) from top_doctors),
    (select count(*) from quarantine where feed = 'treatments')
"""


def compare_doctors(con: duckdb.DuckDBPyConnection) -> None:
    """Welch's t-test of each doctor's patients against all others, adjusted by Holm."""
    from scipy import stats

    found = con.sql(TEST_SUMS).fetchnumpy()
    groups = []
    for n, total, squares in (
        (found["n"], found["total"], found["squares"]),
        (found["n_others"], found["total_others"], found["squares_others"]),
    ):
        mean = total / n
        groups += [mean, np.sqrt(np.maximum(squares - n * mean**2, 0) / (n - 1)), n]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.asarray(stats.ttest_ind_from_stats(*groups, equal_var=False).pvalue)
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    tests = {"doctor_id": found["doctor_id"], "p_value": p, "p_value_adjusted": adjusted}
    con.register("found", tests)
    con.execute("create temp table doctor_tests as from found")


def fit_vip(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Fit K-Means, and give the squared distance to each centroid as SQL, VIP last."""
    import sklearn.cluster
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    query = f"select {FEATURES} from vip_features order by patient_id"
    rows = np.column_stack([np.asarray(c, float) for c in con.sql(query).fetchnumpy().values()])
    if len(rows) > VIP_MAX_ROWS:
        chosen = np.random.default_rng(VIP_SEED).permutation(len(rows))[:VIP_MAX_ROWS]
        rows = rows[np.sort(chosen)]
    with threadpool_limits(1):
        scaler = StandardScaler().fit(rows)
        model = sklearn.cluster.KMeans(2, n_init=10, max_iter=1000, tol=0, random_state=VIP_SEED)
        centroids = model.fit(scaler.transform(rows)).cluster_centers_
    return [
        " + ".join(
            f"power(({name} - {float(mean)!r}) / {float(scale)!r} - ({float(centre)!r}), 2)"
            for name, mean, scale, centre in zip(
                FEATURES.split(", "), scaler.mean_, scaler.scale_, centroid, strict=True
            )
        )
        for centroid in sorted(centroids, key=lambda centroid: centroid[0])
    ]


def main(raw: Path, out: Path) -> None:
    """Run every step and leave the answer, with the CPU seconds of each, in `answer.json`."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "hospital.duckdb").unlink(missing_ok=True)
    settings = {"memory_limit": "2GB", "threads": 2}
    con = duckdb.connect(str(out / "hospital.duckdb"), config=settings)
    parts = "/*" if (raw / "patients_data_with_doctor").is_dir() else ""
    seconds: dict[str, float] = {}

    def step(name: str, action) -> object:
        before = resource.getrusage(resource.RUSAGE_SELF)
        query = action.format(raw=raw, out=out, parts=parts) if isinstance(action, str) else None
        result = con.execute(query) if query else action()
        after = resource.getrusage(resource.RUSAGE_SELF)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        seconds[name] = round(used, 2)
        return result

    con.execute(MACROS)
    step("read treatments", TREATMENTS)
    step("deduplicate", TREATMENT_DUPLICATES)
    step("doctors", DOCTORS)
    step("feedback", FEEDBACK)
    step("summaries", SUMMARIES)
    step("doctor figures", DOCTOR_FIGURES)
    step("doctor tests", lambda: compare_doctors(con))
    con.execute(TOP_DOCTORS)
    step("vip features", FEATURE_TABLE)
    distances = step("vip fit", lambda: fit_vip(con))
    step("vip labels", lambda: con.execute(LABELS.format(distances=distances)))
    step("export processed", PROCESSED)
    step("export enriched", ENRICHED)
    accepted, n_vip, n_patients, top, n_quarantined = con.execute(ANSWER).fetchone()
    step("checkpoint", con.close)
    answer = {
        "n_accepted": accepted,
        "n_rejected": n_quarantined,
        "n_vip": n_vip,
        "n_patients": n_patients,
        "top_doctors": [list(row) for row in top],
        "steps": seconds,
    }
    (out / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "hospital", Path(sys.argv[2]))
