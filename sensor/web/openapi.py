"""The API's description (OpenAPI 3.1), drawn from the types and parameters that it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sensor.alert.record import AlertRecord
from sensor.model import TransactionRecord
from sensor.report.stored import DestinationRow, MailboxRow
from sensor.web.api import LISTINGS, Listing
from sensor.web.query import Parameter

_PROBLEM = {"content": {"text/plain": {"schema": {"type": "string"}}}}


def document(version: str) -> dict[str, Any]:
    """The whole description."""
    types = (MailboxRow, DestinationRow, AlertRecord, TransactionRecord)
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    lists = {f"/api/v1/{name}": {"get": _listing(name, each)} for name, each in LISTINGS.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "mailsensor", "version": version, "description": "Who forwards mail, to whom, since when."},
        "paths": {**lists, "/api/v1/transactions/{id}": {"get": _transaction()}},
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{}, {"basic": []}],
    }


def _listing(name: str, listing: Listing) -> dict[str, Any]:
    page = {
        "type": "object",
        "required": ["total", "offset", "items"],
        "properties": {
            "total": {"type": "integer", "description": "Rows that fit the filters."},
            "offset": {"type": "integer"},
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{listing.item.__name__}"}},
        },
    }
    return {
        "operationId": name,
        "summary": listing.meaning,
        "parameters": _parameters(listing.parameters),
        "responses": {"200": _json("A page.", page), **_problems("400", "401", "503")},
    }


def _transaction() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/TransactionRecord"}
    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "operationId": "transaction",
        "summary": "A record, if it is among the latest of mails that showed something.",
        "parameters": [identifier],
        "responses": {"200": _json("The record.", schema), **_problems("401", "404", "503")},
    }


def _parameters(parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "in": "query", "description": each.meaning, "schema": dict(each.schema)}
        | ({"required": True} if each.is_required else {})
        for each in parameters
    ]


def _json(meaning: str, schema: object) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


_MEANINGS = {
    "400": "A parameter is wrong; the text says which.",
    "401": "Credentials are missing or wrong.",
    "404": "Not found, or no longer kept.",
    "503": "Too many requests at once; try again later.",
}


def _problems(*codes: str) -> dict[str, Any]:
    return {code: {"description": _MEANINGS[code], **_PROBLEM} for code in codes}
