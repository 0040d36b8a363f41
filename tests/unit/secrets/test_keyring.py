"""What is sealed opens again, with its key and in its own row alone."""

from __future__ import annotations

import base64
import dataclasses
import stat
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import errors, models
from funcflow.secrets import keyring

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
SECRET = models.Secret(id="s", name="db-password", project_id="p", created_at=1.0)


def sealed(keys: list[bytes], value: str = "canary é") -> models.Secret:
    return dataclasses.replace(SECRET, sealed=keyring.Keyring(keys).seal(value, SECRET))


def test_a_value_comes_back() -> None:
    kept = sealed([NEW])
    assert keyring.Keyring([NEW]).open(kept) == "canary é"
    assert "canary" not in str(kept.sealed) + repr(kept)
    assert kept.sealed != sealed([NEW]).sealed, "no two are alike"


@pytest.mark.parametrize(
    "elsewhere", [{"project_id": "q"}, {"id": "t"}, {"name": "other"}, {"version": 2}]
)
def test_it_opens_in_its_own_row_alone(elsewhere: dict[str, Any]) -> None:
    with pytest.raises(keyring.Unopenable, match="something else"):
        keyring.Keyring([NEW]).open(dataclasses.replace(sealed([NEW]), **elsewhere))


@pytest.mark.parametrize("broken", [None, "", "1:x", "1:a:b:c", "1:abc:!!", "{}"])
def test_what_was_never_sealed_does_not_open(broken: str | None) -> None:
    with pytest.raises(keyring.Unopenable):
        keyring.Keyring([NEW]).open(dataclasses.replace(SECRET, sealed=broken))


def test_a_changed_text_does_not_open() -> None:
    kept = sealed([NEW])
    form, key, text = str(kept.sealed).split(":")
    data = bytearray(base64.b64decode(text))
    for at in (0, 15, len(data) - 1):
        changed = bytes([*data[:at], data[at] ^ 1, *data[at + 1 :]])
        again = f"{form}:{key}:{base64.b64encode(changed).decode()}"
        with pytest.raises(keyring.Unopenable):
            keyring.Keyring([NEW]).open(dataclasses.replace(kept, sealed=again))


def test_keys_are_changed_while_secrets_are_there() -> None:
    old, both, new = keyring.Keyring([OLD]), keyring.Keyring([NEW, OLD]), keyring.Keyring([NEW])
    kept = sealed([OLD])
    assert both.open(kept) == "canary é"
    renewed = both.renewed(kept)
    assert new.open(renewed) == "canary é"
    assert both.renewed(renewed) is renewed
    with pytest.raises(keyring.Unopenable, match="is not there"):
        old.open(renewed)


# -- where keys come from -------------------------------------------------------------------


def key_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def keys(tmp_path: Path, files: list[str], driver: str = "zookeeper") -> keyring.Keys:
    conf = config.load(
        (),
        default={"data_dir": str(tmp_path / "data")},
        secrets={"key_files": files},
        jobboard={"driver": driver},
    )
    return keyring.Keys(conf)


def test_an_embedded_server_makes_its_key_once(tmp_path: Path) -> None:
    kept = dataclasses.replace(
        SECRET, sealed=keys(tmp_path, [], "embedded").ring.seal("value", SECRET)
    )
    (file,) = (tmp_path / "data").iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("secrets.key", 0o600)
    assert keys(tmp_path, [], "embedded").ring.open(kept) == "value"


def test_many_machines_need_a_key_of_theirs(tmp_path: Path) -> None:
    with pytest.raises(keyring.NoKey):
        keys(tmp_path, []).ring.seal("value", SECRET)
    assert not (tmp_path / "data").exists()
    good = key_file(tmp_path, base64.b64encode(NEW).decode() + "\n", 0o440)
    assert keys(tmp_path, [good]).ring.open(sealed([NEW])) == "canary é"


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("x" * 44, 0o600, "does not hold"),
        ("", 0o600, "does not hold"),
        (base64.b64encode(NEW[:16]).decode(), 0o600, "does not hold"),
        ("schlüssel", 0o600, "cannot be read"),
        (base64.b64encode(NEW).decode(), 0o644, "open to others"),
        (base64.b64encode(NEW).decode(), 0o620, "open to others"),
    ],
)
def test_a_wrong_key_file_is_told_at_the_start(
    tmp_path: Path, text: str, mode: int, told: str
) -> None:
    with pytest.raises(errors.ConfigError, match=told) as caught:
        keys(tmp_path, [key_file(tmp_path, text, mode)])
    assert caught.value.hint
    assert text == "" or text not in caught.value.message


def test_a_missing_key_file_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match="cannot be read: No such file"):
        keys(tmp_path, [str(tmp_path / "none")])
