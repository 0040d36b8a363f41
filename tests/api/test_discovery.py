"""What clients find without knowing anything."""

from __future__ import annotations

from tests.api.client import Api


def test_versions(api: Api) -> None:
    """``/`` lists the versions as Qinling does."""
    link = {"href": f"{api.url}/v1", "target": "v1", "rel": "self"}
    assert api("GET", "/").json == {
        "versions": [{"id": "v1.0", "status": "CURRENT", "links": [link]}]
    }


def test_the_version(api: Api) -> None:
    """``/v1`` with and without a slash."""
    for path in ("/v1", "/v1/"):
        assert api("GET", path).json == {"uri": f"{api.url}/v1"}
