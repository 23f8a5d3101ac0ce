"""The SQL lint sees what stands in models and tests: it renders and parses each, and skips none."""

import subprocess
import sys

from builds import PROJECT

LINT = [sys.executable, "tests/lint_sql.py", "lint", "--disable-progress-bar"]
CONFIG = ["--config", str(PROJECT / ".sqlfluff")]
FAULTS = {
    "models/marts/hospital/top_doctors.sql": ("select * from final", "SELECT * from final"),
    "models/ml/growth/opportunity/opportunity_scores.sql": ("ends.error", "ends.error as error"),
    "models/staging/hospital/base_hospital__doctors_info.sql": ("        *,", "      *,"),
    "tests/macros/macro_is_blank.sql": ("select * from results", "select *  from results"),
}
BROKEN = {
    "unknown_macro.sql": "select {{ no_macro_of_this_name('x') }} as x\n",
    "unparsable.sql": "select from where\n",
    "untraceable.sql": "select {% call repairs() -%} null {%- endcall %} as repairs\n",
}


def lint(*paths):
    """Return the exit code and the answer of the lint, for copies outside of the project."""
    ended = subprocess.run(
        [*LINT, *CONFIG, *map(str, paths)], cwd=PROJECT, capture_output=True, text=True
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_a_fault_is_found_in_each_kind_of_file(tmp_path):
    right, wrong = [], []
    for name, (before, after) in FAULTS.items():
        text = (PROJECT / name).read_text(encoding="utf-8")
        assert before in text, name
        for copies, content in [(right, text), (wrong, text.replace(before, after, 1))]:
            copies.append(tmp_path / f"{len(copies)}_{copies is wrong}.sql")
            copies[-1].write_text(content, encoding="utf-8")
    code, answer = lint(*right, *wrong)
    assert code == 1
    assert [copy for copy in wrong if f"{copy.name}] FAIL" not in answer] == []
    assert [copy for copy in right if copy.name in answer] == []


def test_a_file_that_cannot_be_linted_is_an_error(tmp_path):
    for name, text in BROKEN.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        code, answer = lint(tmp_path / name)
        assert code == 1, f"{name}: {answer}"
