"""Run the stand-in as a process of its own: `python -m adapters.embedded.auth`."""

import asyncio
import signal
import sys
from types import FrameType

import uvicorn

from adapters.embedded.auth.app import open_stand_in
from adapters.embedded.auth.key_file import KeyFileRefused
from adapters.embedded.auth.settings import StandInSettings, load_stand_in_settings
from adapters.log_lines import log_as_json
from adapters.settings import SettingsInvalid


async def serve(settings: StandInSettings) -> None:
    """Answer on the settings' host and port until a signal asks to stop."""
    async with open_stand_in(settings) as stand_in:
        config = uvicorn.Config(
            stand_in.app,
            host=settings.host,
            port=settings.port,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            limit_concurrency=1000,
            timeout_graceful_shutdown=3,
        )
        await uvicorn.Server(config).serve()


def main() -> int:
    """Start, or say on stderr what is missing; SIGTERM and SIGINT end it with status 0."""
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, _leave)
    log_as_json()
    try:
        asyncio.run(serve(load_stand_in_settings()))
    except (SettingsInvalid, KeyFileRefused) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _leave(_: int, __: FrameType | None) -> None:
    """End the process; the server repeats a signal it was stopped by once its connections are closed."""
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
