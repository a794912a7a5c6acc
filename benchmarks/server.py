"""Server: the real API with routes beside it that do nothing, or a bare FastAPI application, as a process of its own.

The routes that do nothing have every dependency of the real ones, run in the same process under the same layers, and
answer with constant bytes.
"""

import argparse
import asyncio
import cProfile
import os
import signal
from collections.abc import Callable
from functools import cache
from inspect import signature
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response

from adapters.settings import load_settings
from api.answers import json_answer
from api.app import create_app
from api.route import Route
from api.server import build_server

SUMMARY = "BENCH_SUMMARY"
"""Environment variable: the file with the bytes that the constant GET answers are made of."""
RECORD = (
    b'{"id":"00000000-0000-0000-0000-000000000000","student_id":"00000000-0000-0000-0000-000000000000",'
    b'"subject":"math","topic":"fractions","score":50.0,"time_spent":60,"completed":true,"source":"self_reported",'
    b'"occurred_at":"2026-01-01T00:00:00.000000Z","created_at":"2026-01-01T00:00:00.000000Z"}'
)


def doing_nothing(app: FastAPI, operation: str, path: str, answer: Callable[[], Response]) -> Route:
    """Return a copy of an operation's route, with whatever the real one depends on, that only gives this answer."""
    (real,) = (route for route in app.router.routes if isinstance(route, Route) and route.operation == operation)

    async def nothing(**_: object) -> Response:
        return answer()

    nothing.__signature__ = signature(real.endpoint)  # type: ignore[attr-defined]  # what FastAPI looks at
    (method,) = real.methods or set()
    return Route(
        path, nothing, method=method, operation=f"{operation}Not", access=real.access, status_code=real.status_code
    )


def bare_app() -> FastAPI:
    """Return an application that answers with the same bytes and has nothing else."""
    app = FastAPI(openapi_url=None)

    @app.get("/progress/{student_id}")
    async def get_progress(student_id: str) -> Response:  # noqa: ARG001  the path must be parsed
        return Response(_summary(), media_type="application/json")

    return app


@cache
def _summary() -> bytes:
    return Path(os.environ[SUMMARY]).read_bytes()


def _real_server() -> uvicorn.Server:
    settings = load_settings()
    app = create_app(settings)
    app.router.routes[:0] = [
        doing_nothing(app, "RecordProgress", "/nothing", lambda: json_answer(RECORD, status=201, position=1)),
        doing_nothing(app, "GetProgressSummary", "/nothing/{student_id}", lambda: json_answer(_summary())),
    ]
    return build_server(app, settings)


def main() -> None:
    """Serve until SIGTERM, perhaps under the profiler."""
    options = argparse.ArgumentParser()
    options.add_argument("--bare", type=int, metavar="PORT")
    options.add_argument("--profile", type=Path)
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    if chosen.bare:
        server = uvicorn.Server(uvicorn.Config(bare_app(), port=chosen.bare, access_log=False, log_config=None))
    else:
        server = _real_server()
    profiler = cProfile.Profile()
    try:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            if chosen.profile:
                profiler.enable()
            runner.run(server.serve())
    finally:
        if chosen.profile:
            profiler.disable()
            profiler.dump_stats(chosen.profile)


def _leave(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
