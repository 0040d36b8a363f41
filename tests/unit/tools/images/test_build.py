"""Recipes, and whole images made twice from nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.images import apt, build


def test_every_recipe_has_a_base_and_a_lock() -> None:
    recipes = build.known()
    assert {"agent", "python3", "nodejs"} <= set(recipes)
    for recipe in recipes.values():
        assert recipe.base is None or recipe.base in recipes
        if recipe.packages:
            names = [deb.name for deb in apt.read_lock(recipe.lock)]
            assert names == sorted(set(names))
            assert not set(names) & set(recipe.leave_out)
        # Kubernetes refuses to run an image as root where it must not.
        assert recipe.base or recipe.config["User"].split(":")[0] != "0"


def test_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_text("name: x\nunknown: y\n")
    with pytest.raises(apt.ImageError, match="no good image"):
        build.recipe(tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    recipe = build.Recipe(folder=tmp_path, name="x", tag="1", files={"/x": "gone"})
    with pytest.raises(apt.ImageError, match="there is no"):
        build.build(recipe, {"x": recipe})


@pytest.fixture
def apt_here() -> None:
    try:
        subprocess.run(["dpkg-deb", "--version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("images are made of Debian packages, with dpkg-deb")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("apt_here")
def test_the_same_input_gives_the_same_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the packages on: two caches, two folders, other masks of permissions."""
    recipes = build.known()
    archives = []
    packages = apt.CACHE / "debs"
    for number, mask in ((1, 0o022), (2, 0o077)):
        cache = tmp_path / str(number)
        cache.mkdir()
        packages.mkdir(parents=True, exist_ok=True)
        (cache / "debs").symlink_to(packages)
        monkeypatch.setattr(build, "CACHE", cache)
        before = os.umask(mask)
        try:
            archive, name = build.build(recipes["python3"], recipes)
        finally:
            os.umask(before)
        archives.append(archive)
        assert name == "registry.local/funcflow/python3:1"
    first, second = (archive.read_bytes() for archive in archives)
    assert first == second
    assert archives[0].name == archives[1].name
    assert len(first) < 80_000_000
