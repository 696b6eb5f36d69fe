"""``GET {prefix}/openapi.json``: the API, as OpenAPI 3.1 describes it."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from dash_long_callback.http_api.problems import CONTENT_TYPE
from dash_long_callback.http_api.replies import Reply, Result
from dash_long_callback.http_api.schemas import Schemas
from dash_long_callback.http_api.service import Api, Asked, Served
from dash_long_callback.jobs import State

_SECURITY = (
    "Each request is authorised by the app, which decides what credentials that takes: a token in "
    "the header Authorization, or the cookie of a session. A job is known to the user only who has "
    "started it."
)
_PROBLEMS = {
    "400": "The request can't be understood.",
    "401": "It is not known who you are.",
    "403": "You may not do this.",
    "404": "There is no such callback, or no such job of yours.",
    "410": "The job of this Idempotency-Key has expired.",
    "413": "The request body is too large.",
    "415": "The Content-Type of the request is not application/json.",
    "422": "The arguments do not fit, or the Idempotency-Key is that of another request.",
    "429": "As many of these jobs run as may; Retry-After says when to try again.",
    "500": "The server failed; its log has the details.",
    "503": "The server can't use its store; Retry-After says when to try again.",
}
_READING = ("401", "403", "404", "500", "503")
_TIME = {"type": ["string", "null"], "format": "date-time"}
_NUMBER = {"type": ["number", "null"]}


def openapi(asked: Asked) -> Result:
    """Describe the API."""
    return Reply.json(200, document(asked.api))


@functools.lru_cache(maxsize=16)
def document(api: Api) -> dict[str, Any]:
    """The OpenAPI document of an API."""
    schemas = Schemas(api.callbacks)
    paths = {f"/callbacks/{name}": {"post": _call(s, schemas)} for name, s in api.callbacks.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": str(api.app.title),
            "version": "1",
            "description": f"Long callbacks of this app, as jobs. {_SECURITY}",
        },
        "servers": [{"url": api.url()}],
        "paths": {**paths, **_JOB_PATHS},
        "components": {
            "schemas": {**schemas.shared, "Job": _JOB, "Problem": _PROBLEM},
            "responses": {code: _problem(text) for code, text in _PROBLEMS.items()},
        },
    }


def _call(served: Served, schemas: Schemas) -> dict[str, Any]:
    summary, _, rest = (inspect.getdoc(served.callback.function) or served.name).partition("\n")
    result = {"type": "object", "properties": {"result": schemas.of(served.name, "return")}}
    job = _json({"allOf": [{"$ref": "#/components/schemas/Job"}, result]})
    location = {"Location": {"description": "The job.", "schema": {"type": "string"}}}
    return {
        "operationId": served.name,
        "summary": summary,
        **({"description": rest.strip()} if rest.strip() else {}),
        "parameters": [_DELAY, _AT, _KEY, _WAIT],
        "requestBody": {"required": True, "content": _json(schemas.arguments(served))},
        "responses": {
            "202": {"description": "The job was started.", "headers": location, "content": job},
            "200": {"description": "It has ended.", "headers": location, "content": job},
            **_refusals(*_PROBLEMS),
        },
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {CONTENT_TYPE: {"schema": schema}}}


def _refusals(*codes: str) -> dict[str, Any]:
    return {code: {"$ref": f"#/components/responses/{code}"} for code in codes}


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_DELAY = _query(
    "delay", "Seconds to wait before the job may begin.", {"type": "number", "minimum": 0}
)
_AT = _query("at", "When the job may begin.", {"type": "string", "format": "date-time"})
_WAIT = _query(
    "wait",
    "Seconds to wait for the end of the job, at most; the server may wait less.",
    {"type": "number", "minimum": 0},
)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A new name for each request, such as a UUID: one that is sent again starts no "
    "other job.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_LAST = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that was received: what came after it is sent.",
    "schema": {"type": "string"},
}
_ANY_JOB = {
    "description": "The job.",
    "content": _json({"$ref": "#/components/schemas/Job"}),
}
_JOB: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "ref": {"type": "string", "description": "Its number in the log of the server."},
        "callback": {"type": "string"},
        "state": {"enum": [state.value for state in State]},
        "created": _TIME,
        "not_before": _TIME,
        "started": _TIME,
        "ended": _TIME,
        "attempt": {"type": "integer"},
        "progress": {"description": "What the function has reported last."},
        "tracked": {
            "type": ["object", "null"],
            "properties": {
                "text": {"type": ["string", "null"]},
                **dict.fromkeys(("fraction", "done", "total", "rate", "remaining"), _NUMBER),
            },
        },
        "ahead": {"type": "integer", "description": "How many jobs are to begin before it."},
        "wait": {**_NUMBER, "description": "Seconds until it begins, as estimated."},
        "result": {"description": "What the function has returned, if it has succeeded."},
        "error": {
            "type": "object",
            "description": "Why it has not succeeded.",
            "properties": {
                "kind": {"type": "string"},
                "message": {"type": "string"},
                "user": {"type": "boolean"},
                "ref": {"type": "string"},
            },
            "required": ["kind", "message"],
        },
        "links": {
            "type": "object",
            "properties": {"self": {"type": "string"}, "events": {"type": "string"}},
            "required": ["self", "events"],
        },
    },
    "required": ["id", "ref", "callback", "state", "links"],
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "argument": {"type": "string", "description": "The argument that is wrong."},
    },
    "required": ["type", "title", "status", "detail"],
}
_JOB_PATHS: dict[str, Any] = {
    "/jobs/{id}": {
        "parameters": [_ID],
        "get": {
            "operationId": "get_job",
            "summary": "How far a job is, and its end",
            "parameters": [_WAIT],
            "responses": {"200": _ANY_JOB, **_refusals("400", *_READING)},
        },
        "delete": {
            "operationId": "cancel_job",
            "summary": "Cancel a job",
            "responses": {
                "200": {**_ANY_JOB, "description": "It has ended."},
                "202": {**_ANY_JOB, "description": "It ends as soon as its function lets go."},
                **_refusals(*_READING),
            },
        },
    },
    "/jobs/{id}/events": {
        "parameters": [_ID],
        "get": {
            "operationId": "follow_job",
            "summary": "What a job reports, as it comes",
            "description": "Server-sent events: progress, track, props, partial, and end, which "
            "has the job.",
            "parameters": [_LAST],
            "responses": {
                "200": {
                    "description": "The events.",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                },
                "204": {"description": "There is nothing after Last-Event-ID."},
                **_refusals("400", *_READING),
            },
        },
    },
}
