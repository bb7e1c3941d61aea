"""Measuring what is made up for when policies, looks and steps go wrong."""

from vlp.evaluation.disturbing import cases, died, left, table, ways_on


def row(errors, share, index, arm, success):
    named = {"errors": errors, "share": share, "index": index, "arm": arm}
    return {**named, "success": success, "policies": 2, "steps": 8, "robot_s": 40.0}


def test_what_has_a_row_is_not_run_again_and_the_first_cases_are_of_every_kind():
    """Guards against a measurement that ends with one kind of error alone, and against rows that are counted twice."""
    todo = cases((0.1, 0.3), 2)
    assert len(todo) == 2 * 3 * 2 * len(ways_on()) and {case.errors for case in todo[: len(todo) // 2]} == {
        "policies", "perceptions", "steps",
    }  # fmt: skip
    rows = [row("policies", 0.1, 0, arm, True) for arm in ways_on()]
    assert left(todo, rows) == list(range(len(ways_on()), len(todo)))


def test_the_table_counts_each_system_for_itself():
    """Guards against a column that holds the rows of another system."""
    rows = [row("steps", 0.2, i, arm, arm == "retries") for i in range(4) for arm in ("fixed plan", "retries")]
    lines = [line for line in table(rows) if line.startswith("| steps")]
    assert len(lines) == 1 and "(0 of 4" in lines[0].split(" | ")[2] and "(4 of 4" in lines[0].split(" | ")[4]
    assert lines[0].count("not run") == 3


def test_a_run_that_killed_its_process_has_a_row():
    """Guards against a case that is run again for ever, and of which nobody is told."""
    todo = cases((0.2,), 1)
    rows = [died(case) for case in todo]
    assert left(todo, rows) == [] and not any(row["success"] for row in rows) and all(row["fault"] for row in rows)
    assert "(0 of 1" in next(line for line in table(rows) if line.startswith("| steps"))
