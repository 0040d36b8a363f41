"""What functions may have of their project's secrets: what the API's tests do not show."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow import errors, models, mounts


def revision(digest: str | None, *secrets: models.SecretMount) -> models.Revision:
    return models.Revision(
        function_id="f", number=1, project_id="p", runtime_id=None, code={}, digest=digest,
        secrets=secrets,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"secret": "db-password.v2"}, "DB_PASSWORD_V2"),
        ({"secret": "db-password", "mount": "metadata"}, "db-password"),
        ({"secret": "x", "name": "PGPASSWORD"}, "PGPASSWORD"),
    ],
)
def test_names(given: dict[str, Any], name: str) -> None:
    assert mounts.mount(**given).name == name


@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "NODE_OPTIONS", "FUNCFLOW_HOST", "1A", ""])
def test_variables_that_no_secret_may_be(name: str) -> None:
    with pytest.raises(errors.BadRequest):
        mounts.mount("secret", name=name)


def test_images_get_secrets_from_the_metadata_service_alone() -> None:
    asker = models.RequestContext(project_id="p", request_id="r")
    shown, plain = mounts.mount("s", "metadata"), mounts.mount("s")
    mounts.check(None, asker, revision(None, shown), wished=False)
    mounts.check(None, asker, revision("digest", plain), wished=False)
    # Also when a function with secrets becomes an image.
    with pytest.raises(errors.BadRequest) as caught:
        mounts.check(None, asker, revision(None, plain), wished=False)
    assert caught.value.code == "bad_mount"
