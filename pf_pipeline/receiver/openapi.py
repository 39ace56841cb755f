"""The OpenAPI document of the receiver, as ``GET /openapi.json`` gives it."""

from typing import Any

JSON = "application/json"


def _says(description: str, schema: str = "Answer") -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _later(description: str) -> dict[str, Any]:
    seconds = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
    return {**_says(description), "headers": {"Retry-After": seconds}}


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "pf-pipeline webhook receiver",
        "version": "1",
        "description": "Takes Property Finder's deliveries; an acknowledged one is never lost.",
    },
    "paths": {
        "/webhooks/property-finder": {
            "post": {
                "operationId": "deliver",
                "summary": "Deliver an event",
                "description": "Any signed body is stored; what it says is looked at later.",
                "parameters": [
                    {
                        "name": "X-Signature",
                        "in": "header",
                        "required": True,
                        "description": "Hexadecimal HMAC-SHA256 of the body with the secret.",
                        "schema": {"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"},
                    }
                ],
                "requestBody": {
                    "required": True,
                    "description": "An envelope (atlas), or a lead, alone or in `data` (guide).",
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/Body"}}},
                },
                "responses": {
                    "202": _says("It is stored, now or before."),
                    "401": _says("The signature is missing or wrong."),
                    "408": {"description": "The request took too long to come."},
                    "413": _says("The body is larger than 64 KiB."),
                    "503": _later("Too many at once, or the disk fails; nothing was acknowledged."),
                },
            }
        },
        "/healthz": {
            "get": {
                "operationId": "healthz",
                "summary": "Whether the receiver answers",
                "responses": {"200": _text("It does.")},
            }
        },
        "/readyz": {
            "get": {
                "operationId": "readyz",
                "summary": "Whether deliveries are stored and loaded",
                "responses": {
                    "200": _says("They are.", "Readiness"),
                    "503": _says("They are not; the reasons say why.", "Readiness"),
                },
            }
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Counters for Prometheus",
                "responses": {"200": _text("Prometheus' text format.")},
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document",
                "responses": {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {JSON: {"schema": {"type": "object"}}},
                    }
                },
            }
        },
    },
    "components": {
        "schemas": {
            "Body": {
                "anyOf": [
                    {"$ref": "#/components/schemas/Envelope"},
                    {"type": "object", "required": ["id", "createdAt"]},
                    {
                        "type": "object",
                        "required": ["data"],
                        "properties": {"data": {"type": "array", "items": {"type": "object"}}},
                    },
                ]
            },
            "Envelope": {
                "type": "object",
                "required": ["id", "type", "timestamp", "entity"],
                "properties": {
                    "id": {"type": "string"},
                    "type": {"enum": ["lead.created", "lead.updated", "lead.assigned"]},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "entity": {
                        "type": "object",
                        "required": ["id"],
                        "properties": {"id": {"type": "string"}, "type": {"type": "string"}},
                    },
                    "payload": {"type": "object"},
                },
            },
            "Answer": {
                "type": "object",
                "required": ["detail"],
                "properties": {"detail": {"type": "string"}},
            },
            "Readiness": {
                "type": "object",
                "required": ["ready", "reasons"],
                "properties": {
                    "ready": {"type": "boolean"},
                    "reasons": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}
