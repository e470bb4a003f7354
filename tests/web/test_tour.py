"""Every page in a real browser, at desk and phone width, by day and by night, as `gallery` hangs it.

What is measured is what a tired person trips over: a page wider than the phone, a button smaller
than a thumb, pale text, a control that no Tab reaches or that nothing names.
"""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.web.asgi import World, play
from tests.web.gallery import HARD, hang
from tests.web.test_browser import chromium, served

LOOK = """
() => {
  const lum = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const ground = one => {
    for (let at = one; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const seen = one => one.checkVisibility() && one.getBoundingClientRect().width > 0;
  const name = one => `${one.tagName.toLowerCase()} ${(one.textContent || "").trim().slice(0, 40)}`;
  const all = query => [...document.querySelectorAll(query)].filter(seen);
  const pale = all("main *, header *, footer *").filter(one =>
    [...one.childNodes].some(child => child.nodeType === 3 && child.data.trim())).filter(one => {
      const [a, b] = [rgb(getComputedStyle(one).color), ground(one)].map(lum);
      return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5;
    });
  const small = all("button, select, .act, .bar a, .filters a, a.card").filter(one => {
    const box = one.getBoundingClientRect();
    return box.height < 43.9 || box.width < 43.9;
  });
  const unnamed = all("input, select, textarea").filter(one => !one.labels.length);
  const off = all("main *").filter(one => one.getBoundingClientRect().right > innerWidth + 1);
  const ids = [...document.querySelectorAll("[id]")].map(one => one.id);
  return {
    wide: document.documentElement.scrollWidth > innerWidth,
    off: off.map(name), pale: pale.map(name), small: small.map(name), unnamed: unnamed.map(name),
    headings: document.querySelectorAll("h1").length,
    mains: document.querySelectorAll("main").length,
    scripts: document.querySelectorAll("script, [onclick]").length,
    acting_gets: document.querySelectorAll("form:not([method=post])").length,
    doubled: ids.filter((id, at) => ids.indexOf(id) !== at),
    to_reach: all("a[href], button, select, textarea, summary, pre[tabindex]").length,
  };
}
"""
NOTHING = {
    "wide": False, "off": [], "pale": [], "small": [], "unnamed": [], "headings": 1, "mains": 1,
    "scripts": 0, "acting_gets": 0, "doubled": [],
}  # fmt: skip
FOCUSED = """
() => {
  const one = document.activeElement;
  window.met ??= new Set();
  if (one === document.body || window.met.has(one)) return null;
  window.met.add(one);
  const style = getComputedStyle(one);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}
"""
MOST_TABS = 80


async def look_round(site: str, pages: dict[str, str], **screen: Any) -> dict[str, Any]:
    """What is wrong, by page; what the browser said of a page is among it."""
    wrong: dict[str, Any] = {}
    async with chromium() as browser:
        page = await (await browser.new_context(**screen)).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for name, path in pages.items():
            said.clear()
            answer = await page.goto(f"{site}{path}")
            found = await page.evaluate(LOOK)
            del found["to_reach"]
            if found != NOTHING:
                wrong[name] = {what: it for what, it in found.items() if it != NOTHING[what]}
            status = answer.status if answer else 0
            expected = [] if status == 200 else [m for m in said if str(status) in m]
            if said != expected:
                wrong[f"{name} said"] = list(said)
    return wrong


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_no_page_makes_anybody_stumble(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        pages = await hang(world)
        async with served(world) as site:
            for width in (390, 1280):
                for scheme in ("light", "dark"):
                    screen = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
                    assert {} == await look_round(site, pages, **screen), (width, scheme)

    play(tmp_path, score, HARD)


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_tab_reaches_everything_and_shows_where_it_is(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        pages = await hang(world)
        chosen = ("no-incident", "asked", "a-question", "silences", "oncall", "objectives", "probe")
        async with served(world) as site, chromium() as browser:
            page = await browser.new_page()
            for name in chosen:
                await page.goto(f"{site}{pages[name]}")
                to_reach = (await page.evaluate(LOOK))["to_reach"]
                shown = []
                for _ in range(MOST_TABS):
                    await page.keyboard.press("Tab")
                    outlined = await page.evaluate(FOCUSED)
                    if outlined is None:
                        break
                    shown.append(outlined)
                assert all(shown), name
                assert min(to_reach, MOST_TABS) == len(shown), name

    play(tmp_path, score, HARD)


BLOCKS = frozenset(
    {"p", "h1", "h2", "ul", "ol", "dl", "div", "section", "details", "form", "table", "pre"}
)
VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})


class Balanced(HTMLParser):
    """Refuses what a browser would have to guess: an element closed out of turn, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len({name for name, _ in attrs}), (tag, attrs)
        assert not (tag == "a" and "a" in self.open), "a link inside a link"
        assert not (tag in BLOCKS and {"p", "span"} & {*self.open}), f"{tag} in running text"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert tag == self.open.pop()


def test_every_page_is_whole_html(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        browser = {"accept": "text/html"}
        for name, path in (await hang(world)).items():
            text = (await world.ask("GET", path, headers=browser)).text
            assert text.startswith("<!doctype html>\n"), name
            parser = Balanced()
            parser.feed(text)
            assert [] == parser.open, name

    play(tmp_path, score, HARD)


def test_nothing_waits_for_a_script() -> None:
    """The policy forbids them; so no template may need one."""
    folder = Path(__file__).parents[2] / "sentinel" / "web" / "templates"
    templates = {path.name: path.read_text() for path in folder.glob("*.html")}
    assert len(templates) > 10
    for word in ("<script", "onclick", "onchange", "javascript:", " style="):
        assert [] == [name for name, text in templates.items() if word in text]
