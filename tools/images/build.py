"""From recipes to image archives; every step is kept by what it is made from.

Called by ``python -m tools.images``, the tests' fixtures and whoever needs an image on a node.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.images import apt, oci, root, wheels
from tools.images.apt import CACHE, ImageError

PROJECT = Path(__file__).resolve().parent.parent.parent
#: What names of images begin with where nobody says otherwise; no such host exists.
REGISTRY = "registry.local/funcflow"
_CODE = Path(__file__).parent
#: What the package of this checkout is made of.
_PROJECT = (
    "funcflow",
    "taskflow_flows",
    "mistral_actions",
    "runtimes",
    "etc",
    "setup.cfg",
    "setup.py",
    "pyproject.toml",
    "requirements.txt",
    "README.md",
    "LICENSE",
)
#: Seconds that layers and archives are kept unused.
_KEPT = 12 * 3600


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """``image.yaml`` of a folder. ``base``: another recipe whose layers are below.

    ``alone``: packages without what they depend on. ``files``: places in the image to files and
    folders beside the recipe. ``texts``: places to contents. ``compile``: folders of Python code.
    ``wheels``: a file of requirements, whose lock is beside it. ``project``: with the package of
    this checkout. ``config``: as Docker has it.
    """

    folder: Path
    name: str
    tag: str
    base: str | None = None
    packages: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    alone: bool = False
    drop: Sequence[str] = ()
    folders: Sequence[str] = ()
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    texts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    compile: Sequence[str] = ()
    wheels: str | None = None
    project: bool = False
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def lock(self) -> Path:
        return self.folder / "image.lock"

    @property
    def wheels_lock(self) -> Path | None:
        return (self.folder / self.wheels).with_suffix(".lock") if self.wheels else None


def recipe(folder: Path) -> Recipe:
    """:raises ImageError: it is none"""
    try:
        return Recipe(folder=folder, **yaml.safe_load((folder / "image.yaml").read_text()))
    except (OSError, TypeError, yaml.YAMLError) as exc:
        raise ImageError(f"{folder} has no good image.yaml: {exc}") from exc


def known() -> dict[str, Recipe]:
    """All images of the project, by name."""
    found = [recipe(path.parent) for path in sorted(PROJECT.glob("runtimes/*/image.yaml"))]
    found += [recipe(path.parent) for path in sorted(PROJECT.glob("etc/container/*/image.yaml"))]
    return {each.name: each for each in found}


def lock(wanted: Recipe, recipes: Mapping[str, Recipe]) -> None:
    """Pin the newest packages; those of the base are not repeated."""
    below = {deb.name for each in _chain(wanted, recipes)[:-1] for deb in _locked(each)}
    leave_out = {name for each in _chain(wanted, recipes) for name in each.leave_out}
    debs: list[apt.Deb] = []
    if wanted.packages and wanted.alone:
        debs = apt.newest(wanted.packages)
    elif wanted.packages:
        debs = apt.resolve(wanted.packages, sorted(leave_out | below))
    if debs:
        apt.write_lock(wanted.lock, debs)
    if wanted.wheels and wanted.wheels_lock:
        wheels.lock(wanted.folder / wanted.wheels, wanted.wheels_lock)


def build(
    wanted: Recipe, recipes: Mapping[str, Recipe], registry: str = REGISTRY
) -> tuple[Path, str]:
    """(archive, name of the image in it); made anew only when something of it changed."""
    with apt.locked(CACHE / "build.lock"):
        _forget_old()
        return _build(wanted, recipes, registry)


def _build(wanted: Recipe, recipes: Mapping[str, Recipe], registry: str) -> tuple[Path, str]:
    layers: list[oci.Layer] = []
    config: dict[str, Any] = {}
    bottom: Path | None = None
    for each in _chain(wanted, recipes):
        for key, make in (
            (_packages_key(each), _packages_root),
            (_wheels_key(each), _wheels_root),
            (_project_key(each), _project_root),
            (_files_key(each), _files_root),
        ):
            if key is not None:
                below = "".join(layer.digest for layer in layers)
                layers.append(_layer(_key(key, below), make, each, bottom))
                bottom = bottom or layers[0].path.with_suffix("")
        config |= each.config
    image = oci.Image(name=f"{registry}/{wanted.name}:{wanted.tag}", layers=layers, config=config)
    inputs = [image.name, config, [layer.digest for layer in layers]]
    target = CACHE / "archives" / f"{wanted.name}-{_key(inputs)[:16]}.tar"
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.touch()
    else:
        for older in _by_age(target.parent.glob(f"{wanted.name}-{'?' * 16}.tar"))[2:]:
            older.unlink()
        oci.write(image, target)
    return target, image.name


def _chain(wanted: Recipe, recipes: Mapping[str, Recipe]) -> list[Recipe]:
    """From the lowest base up to the recipe itself."""
    if wanted.base is None:
        return [wanted]
    return [*_chain(recipes[wanted.base], recipes), wanted]


def _locked(each: Recipe) -> list[apt.Deb]:
    return apt.read_lock(each.lock) if each.packages else []


def _layer(key: str, make: Any, each: Recipe, bottom: Path | None) -> oci.Layer:
    """Of the cache, or made now. The first one's folder stays: its Python compiles the others."""
    target = CACHE / "layers" / f"{key[:32]}.tar"
    digest, folder = target.with_suffix(".digest"), target.with_suffix("")
    if digest.exists():
        for path in (target, digest, *folder.parent.glob(folder.name)):
            path.touch()
        return oci.Layer(target, digest.read_text())
    draft = folder.with_name(f"{folder.name}-{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    make(each, draft, bottom or draft)
    layer = oci.pack(draft, target)
    if bottom is None:
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    else:
        shutil.rmtree(draft)
    digest.write_text(layer.digest)
    return layer


def _forget_old() -> None:
    """What nobody asked for in a while can be made again."""
    for path in (*CACHE.glob("layers/*"), *CACHE.glob("archives/*")):
        if path.stat().st_mtime < time.time() - _KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _by_age(paths: Iterable[Path]) -> list[Path]:
    """The youngest first."""
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)


def _packages_key(each: Recipe) -> Any:
    if not each.packages:
        return None
    locked = each.lock.read_text() if each.lock.exists() else ""
    return ["packages", locked, list(each.drop), list(each.folders), dict(each.texts), each.base]


def _packages_root(each: Recipe, target: Path, bottom: Path) -> None:
    if each.base is None:
        root.merge_usr(target)
    for deb in _locked(each):
        root.unpack(apt.fetch(deb), target, each.drop)
    root.certificates(target)
    for name in each.folders:
        (target / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for where, text in each.texts.items():
        root.write(target, where, text)
    if each.base is None:
        root.compile_python(bottom, target, ["/usr/lib/python3.11"])


def _wheels_key(each: Recipe) -> Any:
    if each.wheels_lock is None:
        return None
    if not each.wheels_lock.exists():
        raise ImageError(f"there is no {each.wheels_lock}: run python -m tools.images lock")
    return ["wheels", each.wheels_lock.read_text()]


def _wheels_root(each: Recipe, target: Path, bottom: Path) -> None:
    assert each.wheels_lock is not None
    wheels.install(wheels.fetch(each.wheels_lock), target)
    root.compile_python(bottom, target, [f"/{wheels.SITE}"])


def _project_key(each: Recipe) -> Any:
    if not each.project:
        return None
    return ["project", [_digest(PROJECT / path) for path in _PROJECT], each.tag]


def _project_root(each: Recipe, target: Path, bottom: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = wheels.of_project(PROJECT, _PROJECT, each.tag, Path(folder))
        wheels.install([made], target)
    root.compile_python(bottom, target, [f"/{wheels.SITE}"])


def _files_key(each: Recipe) -> Any:
    if not each.files and not each.links:
        return None
    sources = {where: _digest(each.folder / path) for where, path in each.files.items()}
    return ["files", sources, dict(each.links), list(each.compile)]


def _files_root(each: Recipe, target: Path, bottom: Path) -> None:
    for where, path in each.files.items():
        root.add(each.folder / path, target, where)
    for where, to in each.links.items():
        link = target / where.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(to)
    root.compile_python(bottom, target, each.compile)


def _digest(path: Path) -> str:
    """Of a file's, or of all files' of a folder, contents."""
    if not path.exists():
        raise ImageError(f"there is no {path}")
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = [each for each in sorted(path.rglob("*")) if each.is_file() and each.suffix != ".pyc"]
    return _key([[str(each.relative_to(path)), _digest(each)] for each in files])


def _code() -> str:
    """What makes the layers is part of what they are made from."""
    return "".join(path.read_text() for path in sorted(_CODE.glob("*.py")))


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps([_code(), *parts]).encode()).hexdigest()
