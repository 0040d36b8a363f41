"""Sum up a CSV: one line per group with count, sum and mean.

The event is the CSV's text. ``BY`` and ``SUM`` in the environment name the columns.
"""

import csv
import io
import os


def handler(event, context):
    """Return {"rows", "skipped": [line, …], "groups": {name: {"count", "sum", "mean"}}}."""
    by, column = os.environ.get("BY", "region"), os.environ.get("SUM", "amount")
    table = csv.DictReader(io.StringIO(event))
    missing = {by, column}.difference(table.fieldnames or ())
    if missing:
        raise ValueError(f"the table has no column {' or '.join(sorted(missing))}")
    groups, skipped, rows = {}, [], 0
    for row in table:
        try:
            amount = float(row[column])
        except (TypeError, ValueError):
            print(f"line {table.line_num}: {row[column]!r} is no number, skipped")
            skipped.append(table.line_num)
            continue
        rows += 1
        group = groups.setdefault(row[by], {"count": 0, "sum": 0.0})
        group["count"] += 1
        group["sum"] += amount
    for group in groups.values():
        group["sum"] = round(group["sum"], 2)
        group["mean"] = round(group["sum"] / group["count"], 2)
    print(f"{rows} rows in {len(groups)} groups, {context.remaining_time_ms()} ms left")
    return {"rows": rows, "skipped": skipped, "groups": groups}
