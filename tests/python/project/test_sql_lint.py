"""The SQL lint sees what stands in models and tests: it renders and parses each, and skips none."""

import subprocess
import sys

from builds import PROJECT

FAULTS = {
    "models/marts/hospital/top_doctors.sql": ("select * from final", "SELECT * from final"),
    "models/ml/growth/opportunity/opportunity_scores.sql": (
        "ends.intercept + ",
        "ends.intercept  + ",
    ),
    "models/staging/hospital/base_hospital__doctors_info.sql": ("        *,", "      *,"),
    "tests/macros/macro_is_blank.sql": ("select * from results", "select *  from results"),
}
BROKEN = {
    "unknown_macro.sql": "select {{ no_macro_of_this_name('x') }} as x\n",
    "unparsable.sql": "select from where\n",
    "untraceable.sql": "select\n    {% call repairs() -%}\n    null\n    {%- endcall %} as repairs\n",
}


def lint(*paths):
    """Return the exit code and the answer of the lint."""
    ended = subprocess.run(
        [sys.executable, "tests/lint_sql.py", "lint", "--disable-progress-bar", *map(str, paths)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_a_fault_is_found_in_each_kind_of_file(tmp_path):
    copies = []
    for name, (right, wrong) in FAULTS.items():
        text = (PROJECT / name).read_text(encoding="utf-8")
        assert right in text
        copies.append(tmp_path / name.rsplit("/", 1)[1])
        copies[-1].write_text(text.replace(right, wrong, 1), encoding="utf-8")
    code, answer = lint(*copies)
    assert code == 1
    assert [copy.name for copy in copies if f"{copy.name}] FAIL" not in answer] == []


def test_a_file_that_cannot_be_linted_is_an_error(tmp_path):
    for name, text in BROKEN.items():
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        code, answer = lint(file)
        assert code == 1, f"{name}: {answer}"
