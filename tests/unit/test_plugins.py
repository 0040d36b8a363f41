"""One way to load a driver, and one clear error."""

from __future__ import annotations

import pytest

from funcflow import errors, plugins
from funcflow.auth.none import NoAuth


def test_a_driver_by_name() -> None:
    assert plugins.load("funcflow.auth", "none") is NoAuth


def test_an_unknown_driver_is_a_configuration_error() -> None:
    with pytest.raises(errors.ConfigError, match="no driver"):
        plugins.load("funcflow.auth", "nonsense")
