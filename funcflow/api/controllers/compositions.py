"""``/v1/compositions``: definitions, their revisions, checks and pictures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from typing import Any

import webob

from funcflow import delegations, errors, ids, models, sharing, workflows
from funcflow.api import finding, lists, pictures, reply
from funcflow.api.announce import announce
from funcflow.api.controllers import (
    composition_aliases,
    composition_executions,
    composition_versions,
    trials,
    versioned,
)
from funcflow.api.controllers import shares as shares_below
from funcflow.api.operations import EMPTY, TEXT, Media, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import compositions as schemas
from funcflow.api.schemas import identities as schema
from funcflow.api.waiting import Slots
from funcflow.compositions import compile, source
from funcflow.db import composition_versions as versions
from funcflow.db import compositions, shares
from funcflow.identities import Identities
from funcflow.services import Services

#: What can be done with what was made.
_LINKS = {
    name: {"composition_id": "id"}
    for name in (
        "compositions.show", "compositions.update", "compositions.delete",
        "compositions.definition", "composition_versions.list", "composition_versions.create",
        "composition_aliases.list", "composition_executions.list",
        "composition_executions.create", "composition_shares.list", "composition_shares.create",
    )
}  # fmt: skip
_DRAWN = Media(content={"text/plain": TEXT, "image/svg+xml": TEXT})
_FORMS = ("text", "svg", "mermaid")


class Compositions:
    """The collection."""

    index = resource()

    def __init__(self, services: Services, slots: Slots) -> None:
        self._services = services
        self._slots = slots
        self.validate = Validate()
        setattr(self, "test-state", trials.TestState(services, slots))

    @exposed_child
    def _lookup(self, composition_id: str, *rest: str) -> tuple[Composition, tuple[str, ...]]:
        return Composition(self._services, self._slots, composition_id), rest

    @operation(
        index, "GET", "compositions.list", "List compositions", {200: schemas.PAGE},
        query={**lists.COMPOSITIONS.query, "shared": lists.SHARED},
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.COMPOSITIONS.parse(request, self._services.conf)
        asker, scope = request.asker, None
        if lists.flag(request, "shared"):
            scope = shares.resources_for(
                "composition", asker.project_id, asker.project_domain_id, time.time()
            )
        with self._services.database.read() as connection:
            page = compositions.list_(connection, asked, scope)
            known = [sharing.Access("composition", found) for found in page]
            if scope is not None:
                known = sharing.of_all(connection, asker, "composition", page)
        return lists.answer(
            request, self._services.conf, "compositions", known,
            lambda row: schemas.view(row, listed=True), lambda row: row.resource.id,
        )  # fmt: skip

    @operation(
        index, "POST", "compositions.create", "Create a composition",
        {201: schemas.COMPOSITION}, body=schemas.CREATE, errors=(409,), links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """400 has every problem of the definition; nothing is kept then."""
        body = request.body
        _check_name(body["name"])
        made_id, now = ids.new(), time.time()
        first = models.CompositionRevision(
            composition_id=made_id,
            number=1,
            project_id=request.asker.project_id,
            created_at=now,
            identity=_identity(body),
            **_defined(body["definition"], body.get("type", "STANDARD")),
        )
        workflows.check_composition(self._services.conf, first)
        made = models.Composition(
            id=made_id,
            name=body["name"],
            description=body.get("description", ""),
            project_id=request.asker.project_id,
            revision=self._services.submitter.identities.of_new(request.asker, first),
            created_at=now,
        )
        most: int = self._services.conf.limits.max_compositions

        def write(connection: Any) -> None:
            compositions.create(connection, made, most)
            Identities.settle(connection, request.asker, None, made.revision)

        self._services.database.transact(write)
        announce(self._services, "compositions")
        where = f"{request.host_url}/v1/compositions/{made.id}"
        seen = schemas.view(sharing.Access("composition", made))
        return reply.answer(seen, 201, {"Location": where})


class Composition:
    """One composition, by id or name."""

    index = resource()

    def __init__(self, services: Services, slots: Slots, composition_id: str) -> None:
        self._services = services
        self._id = composition_id
        self.shares = shares_below.CompositionShares(services, composition_id)
        self.definition = Definition(services, composition_id)
        self.versions = composition_versions.Versions(services, composition_id)
        self.aliases = composition_aliases.Aliases(services, composition_id)
        self.executions = composition_executions.Executions(services, slots, composition_id)

    @operation(
        index, "GET", "compositions.show", "Show a composition", {200: schemas.COMPOSITION},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return reply.answer(schemas.view(finding.access(self._services, request, self._id)))

    @operation(
        index, "PATCH", "compositions.update", "Change some of a composition",
        {200: schemas.COMPOSITION}, body=schemas.PATCH, errors=(404, 409),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        """Another definition or type is a new revision; what runs goes on with the one it has."""
        access = finding.access(self._services, request, self._id)
        access.check("publish")
        found, body = access.resource, dict(request.body)
        if "type" in body and "definition" not in body:
            access.check("read")  # what the old definition has against it quotes it
        if body.get("name", "") is None or body.get("definition", "") is None:
            raise errors.BadRequest("name and definition cannot be null", code="invalid_field")
        if "name" in body:
            _check_name(body["name"])
        revised = self._revised(request, found, body)
        description = body["description"] or "" if "description" in body else None

        def write(connection: Any) -> models.Composition:
            now = time.time()
            changed = found
            if revised is not None:
                changed = compositions.new_revision(
                    connection, found.id, found.project_id, revised, now=now
                )
                before = found.revision if revised == found.revision else None
                Identities.settle(connection, request.asker, before, revised)
            if "name" in body or description is not None:
                changed = compositions.update(
                    connection, found.id, found.project_id, now=now,
                    name=body.get("name"), description=description,
                )  # fmt: skip
            return changed

        changed = self._services.database.transact(write)
        announce(self._services, "compositions")
        return reply.answer(schemas.view(dataclasses.replace(access, resource=changed)))

    def _revised(
        self, request: Request, found: models.Composition, body: dict[str, Any]
    ) -> models.CompositionRevision | None:
        """The revision that is asked for; None: nothing of one is given."""
        if not {"definition", "type", "identity"} & set(body):
            return None
        now = found.revision
        type_ = (body["type"] or "STANDARD") if "type" in body else now.type
        asked = "identity" in body
        wanted = dataclasses.replace(
            now,
            identity=_identity(body) if asked else now.identity,
            **_defined(body.get("definition", now.definition), type_),
        )
        workflows.check_composition(self._services.conf, wanted)
        identities = self._services.submitter.identities
        return identities.of_changed(request.asker, now, wanted, asked=asked)

    @operation(
        index, "DELETE", "compositions.delete",
        "Delete a composition that no alias points to", {204: EMPTY}, errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        """With its versions. What runs goes on to its end."""
        found = finding.composition(self._services, request, self._id)
        self._services.database.transact(
            lambda connection: compositions.delete(
                connection, found.id, found.project_id, now=time.time()
            )
        )
        announce(self._services, "compositions")
        return reply.nothing()


class Definition:
    """``…/definition``: as it was sent, or as a picture."""

    index = resource()

    def __init__(self, services: Services, composition_id: str) -> None:
        self._services = services
        self._id = composition_id

    @operation(
        index, "GET", "compositions.definition", "Show the definition, or draw it",
        {200: _DRAWN}, errors=(404,),
        query={
            "format": {
                "type": "string",
                "enum": list(_FORMS),
                "description": "text (default): as it was sent.",
            },
            "version": {**common.VERSION, "description": "0 (default): latest."},
        },
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        form = pictures.form(request, _FORMS)
        access = finding.access(self._services, request, self._id)
        number = versioned.number_of(request.query.get("version", "0"), "version")
        access.check("read", version=number)
        found, revision = access.resource, access.resource.revision
        if number != models.LATEST:
            with self._services.database.read() as connection:
                revision = versions.get(connection, found.id, number).revision
        return pictures.definition(revision, found.name, form)


class Validate:
    """``/v1/compositions/validate``"""

    index = resource()

    @operation(
        index, "POST", "compositions.validate", "Check a definition without keeping it",
        {200: schemas.CHECKED}, body=schemas.VALIDATE,
    )  # fmt: skip
    def validate(self, request: Request) -> webob.Response:
        body = request.body
        found = compile.problems(body["definition"], body.get("type", "STANDARD"))
        return reply.answer(schemas.checked_view(found))


def _defined(definition: Any, type_: models.CompositionType) -> dict[str, Any]:
    """The fields of a revision that follow from what was sent.

    :raises funcflow.compositions.problems.Invalid: with every problem
    """
    compile.parse(definition, type_)
    text = definition
    if not isinstance(text, str):
        text = json.dumps(definition, ensure_ascii=False, indent=2)
        if len(text) > source.MAX_SIZE:
            text = json.dumps(definition, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"type": type_, "definition": text, "digest": digest}


def _identity(body: dict[str, Any]) -> delegations.Identity | None:
    """As whom the composition is to act."""
    told = body.get("identity")
    return None if told is None else schema.given(told)


def _check_name(name: str) -> None:
    if name in schemas.RESERVED or ids.is_id(name):
        raise errors.BadRequest(
            f"a composition cannot be called {name!r}",
            code="bad_name",
            hint="Choose a name that is neither an id nor a path of the API's own.",
        )
