"""Approvals and checklists answered by the people asked, from the page behind their link."""

from pathlib import Path

from tests.web.asgi import WORKSPACE, World, play

BOOK = """
playbooks:
  switch:
    when: 'true'
    steps:
      - {id: allowed, approval: {by: person/ana, text: "Switch to invoice?"}, timeout: 10m}
      - {id: by_hand, checklist: {by: person/ana, items: [Switch it, Place an order]}, timeout: 1h}
      - {id: say, note: {text: "switched"}}
"""


def _form(text: str, **chosen: str) -> dict[str, str]:
    """The fields of the page's first question with a button pressed."""
    names = ("incident", "run", "step", "digest")
    fields = {n: text.split(f'name="{n}" value="', 1)[1].split('"', 1)[0] for n in names}
    return {"command": "answer", **fields, **chosen}


def test_an_approval_then_a_checklist_let_the_run_go_on(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        await world.advance(seconds=61)  # the request followed the first page: it came as a bundle
        asking = world.link()
        page = (await world.ask("GET", asking)).text
        assert "Switch to invoice?" in page
        await world.ask("POST", asking, form=_form(page, answer="approved"))
        page = (await world.ask("GET", asking)).text
        for number in ("²", "9" * 5000, "-1", ""):
            answer = await world.ask("POST", asking, form=_form(page, answer="ticked", item=number))
            assert answer.status < 500
        for number, item in enumerate(("Switch it", "Place an order")):
            assert f"Done: {item}" in page
            await world.ask("POST", asking, form=_form(page, answer="ticked", item=str(number)))
            page = (await world.ask("GET", asking)).text
        await world.clock.settle()
        found = (await world.ask("GET", f"/api/v1/incidents/{await world.incident()}")).json()
        (run,) = found["runs"].values()
        stood = {name: step["conclusion"] for name, step in run["steps"].items()}
        assert stood == dict.fromkeys(("allowed", "by_hand", "say"), "succeeded")

    play(tmp_path, score, WORKSPACE + BOOK)


def test_nobody_else_may_answer_and_silence_refuses(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        name = await world.incident()
        run, step = (
            next(iter((await world.ask("GET", f"/api/v1/incidents/{name}")).json()["runs"])),
            "allowed",
        )
        body = {"run": run, "step": step, "answer": "approved", "by": "bo"}
        answer = await world.ask("POST", f"/api/v1/incidents/{name}/answer", body=body)
        assert (answer.status, answer.json()["error"]) == (409, "not_asked")
        await world.advance(minutes=11)
        found = (await world.ask("GET", f"/api/v1/incidents/{name}")).json()
        assert found["runs"][run]["steps"]["allowed"]["conclusion"] == "failed"
        assert "by_hand" not in found["runs"][run]["steps"] or (
            found["runs"][run]["steps"]["by_hand"]["conclusion"] == "omitted"
        )

    play(tmp_path, score, WORKSPACE + BOOK)
