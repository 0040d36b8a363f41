"""When Swift is the default store."""

from __future__ import annotations

from pathlib import Path

import pytest

from funcflow import conf
from funcflow.cmd import parts
from funcflow.options import swift as swift_options
from funcflow.stores.filesystem import FilesystemStore
from funcflow.stores.swift import SwiftStore

_LOGIN = "[swift]\nauth_type = password\nauth_url = http://127.0.0.1:1/v3\nusername = funcflow\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", FilesystemStore),
        ("[swift]\n# auth_type = password\ncontainer = funcflow\n", FilesystemStore),
        (_LOGIN, SwiftStore),
        (f"[keystone_authtoken]\n{_LOGIN[8:]}[swift]\nauth_section = keystone_authtoken\n",
         SwiftStore),
        (f"[store]\ndriver = filesystem\n{_LOGIN}", FilesystemStore),
    ],
)  # fmt: skip
def test_who_says_how_to_log_in_to_swift_keeps_packages_there(
    tmp_path: Path, text: str, kind: type
) -> None:
    """Without asking anybody: Swift may be away when a process starts."""
    file = tmp_path / "funcflow.conf"
    file.write_text(text)
    settings = conf.load([file], default={"data_dir": str(tmp_path)})
    assert swift_options.wanted(settings) is ("auth_" in text and "# auth" not in text)
    assert type(parts.store(settings)) is kind


def test_a_folder_of_configuration_counts_too(tmp_path: Path) -> None:
    (tmp_path / "swift.conf").write_text(_LOGIN)
    settings = conf.load()
    settings([], default_config_files=[], default_config_dirs=[str(tmp_path)])
    assert swift_options.wanted(settings)
