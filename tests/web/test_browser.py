"""The pages in a real browser, at desk and phone width, with JavaScript off (rule 19)."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, async_playwright

from tests.web.asgi import World, play

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


@contextlib.asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """The application on a real port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(world._app, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(QUIET)
        )
        try:
            yield browser
        finally:
            await browser.close()


@pytest.mark.slow
@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [1200, 390])
def test_a_page_is_acknowledged_with_one_tap(tmp_path: Path, width: int) -> None:
    async def score(world: World) -> None:
        await world.alert()
        async with served(world) as site, chromium() as browser:
            context = await browser.new_context(
                viewport={"width": width, "height": 844}, java_script_enabled=False
            )
            page = await context.new_page()
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            await page.goto(f"{site}{world.link()}")
            button = page.get_by_role("button", name="Acknowledge")
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert box["y"] + box["height"] < 500
            await button.click()
            await page.get_by_text("You have it.").wait_for()
            name = await world_incident(world)
            for path in ("/", f"/incidents/{name}", "/probes"):
                await page.goto(f"{site}{path}")
                assert "Sentinel" in await page.title()
            assert said == []

    async def world_incident(world: World) -> str:
        rows = await world.node.journal.view(lambda view: view.incidents())
        return rows[0].incident

    play(tmp_path, score)
