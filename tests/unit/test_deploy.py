"""Deploying below the API: limits hold whoever comes at the same time."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from funcflow import conf as config
from funcflow import deploy, errors, models
from funcflow.db import functions, listing, runtimes, schema
from funcflow.db.engine import Database
from funcflow.stores.memory import MemoryStore
from funcflow.wishes import Wish

CONTEXT = models.RequestContext(project_id="p", request_id="req-1")
SOURCE = Wish(name="f", runtime="python3", source="def main():\n    pass\n")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/db"
    schema.upgrade(url)
    made = Database(url)
    made.transact(lambda connection: runtimes.ensure_defaults(connection, "p"))
    yield made
    made.close()


def deployer(database: Database, **quotas: object) -> deploy.Deployer:
    conf = config.load(quotas=quotas)
    return deploy.Deployer(conf, database, MemoryStore(conf))


def count(database: Database) -> int:
    with database.read() as connection:
        return len(functions.list_(connection, listing.Query(project_id="p")))


def test_the_limit_of_functions_holds_in_a_race(database: Database) -> None:
    """Of many at once exactly as many succeed as there is room for; room comes back."""
    made = deployer(database, functions=3)
    outcomes: list[object] = []

    def create() -> None:
        try:
            outcomes.append(made.create(CONTEXT, SOURCE))
        except errors.Forbidden as exc:
            outcomes.append(exc.code)

    threads = [threading.Thread(target=create) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    created = [outcome for outcome in outcomes if isinstance(outcome, models.Function)]
    assert (len(created), outcomes.count("quota_exceeded"), count(database)) == (3, 9, 3)
    database.transact(lambda connection: functions.delete(connection, created[0].id, "p", now=1.0))
    made.create(CONTEXT, SOURCE)
    with pytest.raises(errors.Forbidden):
        made.create(CONTEXT, SOURCE)


def test_concurrent_changes_each_make_a_revision(database: Database) -> None:
    """No change is lost, no number is used twice."""
    made = deployer(database)
    function = made.create(CONTEXT, SOURCE)
    numbers: list[int] = []

    def change(wish: Wish) -> None:
        numbers.append(made.update(CONTEXT, function, wish).revision.number)

    wishes = [Wish(timeout=float(n)) for n in range(10, 20)]
    wishes += [Wish(cpu=777), Wish(network=True), Wish(entry="main.other")]
    threads = [threading.Thread(target=change, args=(wish,)) for wish in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(2, 15))
    with database.read() as connection:
        last = functions.get(connection, function.id).revision
    assert (last.limits.cpu, last.network, last.entry) == (777, True, "main.other")


def test_a_package_that_was_collected_meanwhile_is_stored_again(database: Database) -> None:
    """Whoever points to it last sees to it that it is there."""
    conf = config.load()

    class Forgetful(MemoryStore):
        forgot = False

        def put(self, chunks: Iterable[bytes], project_id: str | None = None) -> str:
            assert project_id == "p"
            digest = super().put(chunks)
            if not self.forgot:
                self.forgot = True
                self.delete(digest)
            return digest

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "x = 1")
    for wish in (SOURCE, Wish(runtime="python3", package=packed)):
        store = Forgetful(conf)
        function = deploy.Deployer(conf, database, store).create(CONTEXT, wish)
        assert list(store.digests()) == [function.revision.digest]


def test_a_store_that_goes_away_after_the_write_takes_nothing_back(database: Database) -> None:
    """The function is there: its creation must not look failed."""
    conf = config.load()

    class Leaving(MemoryStore):
        def has(self, digest: str) -> bool:
            raise errors.Unavailable("gone")

    function = deploy.Deployer(conf, database, Leaving(conf)).create(CONTEXT, SOURCE)
    assert function.revision.digest


def test_nothing_changes_without_a_change(database: Database) -> None:
    """The same settings again are the same revision."""
    made = deployer(database)
    function = made.create(CONTEXT, SOURCE)
    same = Wish(timeout=5.0, entry="main.main", source=SOURCE.source)
    assert made.update(CONTEXT, function, same).revision == function.revision
    renamed = made.update(CONTEXT, function, Wish(name="g"))
    assert (renamed.name, renamed.revision.number) == ("g", 1)


def test_an_entry_names_the_module_of_a_source(database: Database) -> None:
    """The one file of the package is what the entry's first part says."""
    conf = config.load()
    store = MemoryStore(conf)
    made = deploy.Deployer(conf, database, store)
    wish = Wish(runtime="nodejs", source="exports.run = () => 1\n", entry="index.run")
    function = made.create(CONTEXT, wish)
    assert function.revision.digest is not None
    with store.open(function.revision.digest) as file:
        assert zipfile.ZipFile(io.BytesIO(file.read())).namelist() == ["index.js"]


def test_code_of_another_project_is_not_seen(database: Database) -> None:
    """A private runtime of another project is as unknown as one that is not there."""
    private = models.Runtime(
        id="00000000-0000-7000-8000-000000000000", name="own", image="x/python3",
        is_public=False, project_id="q", created_at=1.0,
    )  # fmt: skip
    database.transact(lambda connection: runtimes.create(connection, private))
    for reference in ("own", private.id):
        with pytest.raises(errors.NotFound):
            deployer(database).create(CONTEXT, Wish(runtime=reference, source="x"))


IMAGE = {"source": "image", "image": "registry.example.org:5000/team/ocr:3"}


def of_images(database: Database, *patterns: str) -> deploy.Deployer:
    conf = config.load(api={"image_functions": list(patterns)}, registries={"lookup": False})
    return deploy.Deployer(conf, database, MemoryStore(conf))


def test_a_function_made_of_an_image(database: Database) -> None:
    """It has neither a runtime nor a package; its limits are those of any function."""
    made = of_images(database, "registry.example.org:5000/team/*")
    function = made.create(CONTEXT, Wish(name="ocr", code=IMAGE, cpu=500))
    revision = function.revision
    assert (revision.code, revision.runtime_id, revision.digest) == (IMAGE, None, None)
    assert revision.limits.cpu == 500
    newer = {**IMAGE, "image": "registry.example.org:5000/team/ocr:4", "command": ["ocr", "-x"]}
    changed = made.update(CONTEXT, function, Wish(code=newer)).revision
    assert (changed.number, changed.code) == (2, newer)


def test_from_an_image_to_a_package_and_back(database: Database) -> None:
    made = of_images(database, "*")
    function = made.create(CONTEXT, Wish(code=IMAGE))
    source = Wish(source="def main():\n    pass\n")
    with pytest.raises(errors.BadRequest) as caught:
        made.update(CONTEXT, function, source)
    assert caught.value.code == "no_runtime"
    packed = made.update(CONTEXT, function, Wish(runtime="python3", source=source.source))
    assert packed.revision.digest is not None
    assert packed.revision.runtime_id is not None
    back = made.update(CONTEXT, packed, Wish(code=IMAGE)).revision
    assert (back.code, back.runtime_id, back.digest) == (IMAGE, None, None)


@pytest.mark.parametrize(
    ("patterns", "wish", "code"),
    [
        ((), Wish(code=IMAGE), "unsupported_code_source"),
        (("*",), Wish(code={"source": "image"}), "bad_image"),
        (("*",), Wish(code={"source": "image", "image": 7}), "bad_image"),
        (("*",), Wish(code={"source": "image", "image": "UPPER/case"}), "bad_image"),
        (("*",), Wish(code={"source": "image", "image": "a b"}), "bad_image"),
        (("*",), Wish(code={"source": "image", "image": "a" * 256}), "bad_image"),
        (("*",), Wish(code={"source": "image", "image": "a@sha256:12"}), "bad_image"),
        *(
            (("*",), Wish(code=IMAGE | {"command": command}), "bad_image")
            for command in ("sh -c x", [], [""], ["sh", 1], ["a\0b"], ["x"] * 65, ["x" * 4097])
        ),
        (("other/*", "registry.example.org/*"), Wish(code=IMAGE), "image_refused"),
        (("*",), Wish(code=IMAGE, runtime="python3"), "bad_image"),
        (("*",), Wish(code=IMAGE, source="x = 1"), "bad_image"),
        (("*",), Wish(code=IMAGE, package=io.BytesIO(b"")), "bad_image"),
    ],
)
def test_images_that_are_refused(
    database: Database, patterns: tuple[str, ...], wish: Wish, code: str
) -> None:
    with pytest.raises(errors.FuncflowError) as caught:
        of_images(database, *patterns).create(CONTEXT, wish)
    assert caught.value.code == code
    assert count(database) == 0


@pytest.mark.parametrize(
    "image",
    ["busybox", "team/ocr", "localhost:5000/a/b_c/d-e:1.0", f"a.b/c:1@sha256:{'0' * 64}"],
)
def test_names_of_images(database: Database, image: str) -> None:
    wish = Wish(code={"source": "image", "image": image})
    assert of_images(database, "*").create(CONTEXT, wish).revision.code["image"] == image


def test_an_image_takes_no_runtime_later(database: Database) -> None:
    made = of_images(database, "*")
    function = made.create(CONTEXT, Wish(code=IMAGE))
    with pytest.raises(errors.BadRequest) as caught:
        made.update(CONTEXT, function, Wish(runtime="python3"))
    assert caught.value.code == "bad_image"
