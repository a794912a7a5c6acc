"""The interactive page works without any other site."""

import re

from httpx import AsyncClient


async def test_the_docs_page_asks_nobody_but_us(client: AsyncClient) -> None:
    page = await client.get("/docs")

    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    for source in sources:
        assert source.startswith("/")
        assert (await client.get(source)).status_code == 200
