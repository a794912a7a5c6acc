"""OpenAPI: what the routes can't say of themselves: how to sign in, and what every refusal looks like."""

from typing import Any

from fastapi import FastAPI

from api.shapes import ProblemDocument

_ACCESS_TOKEN = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def describe(app: FastAPI) -> None:
    """Complete the application's OpenAPI document, which is made once."""
    described: dict[str, Any] = {}
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(made_by_fastapi())
            components = described.setdefault("components", {})
            components["securitySchemes"] = {"accessToken": _ACCESS_TOKEN}
            schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            components.setdefault("schemas", {}).update(schema.pop("$defs"), ProblemDocument=schema)
        return described

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
