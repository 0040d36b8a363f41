"""What a schedule means at a moment, whatever the clocks are put to."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest

from funcflow import models
from funcflow.conductor import scaling

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime.datetime:
    """Local time in Berlin, as UTC."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(datetime.UTC)


def rules(**fields: object) -> models.Scaling:
    each = models.Provision(workers=5, timezone="Europe/Berlin", **fields)  # type: ignore[arg-type]
    return models.Scaling(provisioned=(each,))


def test_at_least_so_many_at_any_time() -> None:
    found = scaling.wanted(models.Scaling(min_workers=2), at("2026-11-20T03:00"))
    assert found == {models.LATEST: 2}
    assert scaling.wanted(models.Scaling(), at("2026-11-20T03:00")) == {}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("2026-11-20T07:59", False),  # a Friday
        ("2026-11-20T08:00", True),
        ("2026-11-20T17:59", True),
        ("2026-11-20T18:00", False),
        ("2026-11-21T12:00", False),
    ],
)
def test_office_hours(when: str, holds: bool) -> None:
    office = rules(start=8 * 60, end=18 * 60, days=(0, 1, 2, 3, 4))
    assert scaling.wanted(office, at(when)) == ({0: 5} if holds else {})


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("2026-11-20T21:59", False),
        ("2026-11-20T22:00", True),
        ("2026-11-21T05:59", True),  # it began on Friday
        ("2026-11-21T06:00", False),
        ("2026-11-21T23:00", False),
        ("2026-11-20T03:00", False),  # Thursday's night is not asked for
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(when: str, holds: bool) -> None:
    night = rules(start=22 * 60, end=6 * 60, days=(4,))
    assert bool(scaling.wanted(night, at(when))) is holds


def test_the_hours_are_those_on_the_wall_when_clocks_are_put_forward_and_back() -> None:
    """On 29 March 2026 02:00 becomes 03:00 in Berlin, on 25 October 03:00 becomes 02:00."""
    early = rules(start=2 * 60, end=4 * 60)
    for day, hours in (("2026-03-28", 2), ("2026-03-29", 1), ("2026-10-25", 3)):
        start = at(f"{day}T00:00")
        held = sum(
            bool(scaling.wanted(early, start + datetime.timedelta(minutes=minutes)))
            for minutes in range(0, 600)
        )
        assert held == hours * 60, day


def test_the_larger_wish_counts_and_versions_are_apart() -> None:
    both = models.Scaling(
        min_workers=2,
        provisioned=(
            models.Provision(workers=1),
            models.Provision(workers=4, version=3),
            models.Provision(workers=3, version=3),
        ),
    )
    assert scaling.wanted(both, at("2026-11-20T03:00")) == {models.LATEST: 2, 3: 4}
