"""What the demo shows while it happens: story lines, mails, and the table of stages at the end."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sentinel.cli.demo_world import Mail
from sentinel.engine.failpoint import Stage

TITLES: Mapping[Stage, str] = {
    Stage.checks: "checks fail",
    Stage.incident: "an incident opens",
    Stage.playbook: "its playbook acts",
    Stage.page: "the person on call is paged",
    Stage.acknowledge: "they acknowledge",
    Stage.recovery: "the shop recovers",
    Stage.timeline: "the timeline tells it",
    Stage.postmortem: "the postmortem is drafted",
}
COLOURS = (
    ("playbook", "green"), ("paging", "yellow"), ("alert", "red"), ("status", "cyan"), ("note", "blue"),
)  # fmt: skip
PLAY = """\
[bold]The shop is yours.[/] Break it, and see what comes:
  curl -X POST {shop}/faults -H 'content-type: application/json' -d '{{"errors": 1}}'
  curl -X POST {shop}/faults -H 'content-type: application/json' -d '{{"missing_button": true}}'
  curl -X POST {vendor}/faults -H 'content-type: application/json' -d '{{"state": "down"}}'
Mend it:
  curl -X POST {shop}/faults -H 'content-type: application/json' -d '{{}}'
  curl -X POST {vendor}/faults -H 'content-type: application/json' -d '{{}}'
Console: [bold]{console}[/]   Shop: {shop}   Every page is shown here as its mail arrives.
Ctrl-C ends all of it and leaves nothing behind."""


class Show:
    """Prints on standard output, with colour where that is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def opening(self, *, console: str, shop: str) -> None:
        """Where everything is."""
        self._console.print(f"[bold]Console: {console}[/]   the shop that it watches: {shop}")

    def says(self, text: str) -> None:
        """What the demo does itself."""
        self._console.print(Text(f"→ {text}", style="bold magenta"))

    def begins(self, stage: Stage) -> None:
        """The stage that is waited for now."""
        self._console.rule(Text(TITLES[stage], style="bold"), align="left")

    def story(self, incident: str, lines: Sequence[str]) -> None:
        """New lines of an incident's timeline."""
        for line in lines:
            style = next((colour for word, colour in COLOURS if f" {word} " in line[:45]), "")
            self._console.print(Text(f"{incident} {line}", style=style))

    def mail(self, mail: Mail) -> None:
        """A page, as the mailbox took it."""
        text = Text(mail.text.strip())
        title = Text(f"mail to {', '.join(mail.to)}: {mail.subject}")
        self._console.print(Panel(text, title=title, title_align="left", border_style="yellow"))

    def timeline(self, incident: str, text: str) -> None:
        """The whole story."""
        title = f"timeline of {incident}"
        self._console.print(Panel(Text(text), title=title, title_align="left"))

    def postmortem(self, text: str) -> None:
        """The draft, rendered."""
        self._console.print(Panel(Markdown(text), title="postmortem draft", title_align="left"))

    def results(self, done: Mapping[Stage, str], missing: Stage | None, why: str) -> None:
        """The table of stages: done with what proved it, missing with why, or not reached."""
        table = Table("", "stage", "proof", title="The round", title_justify="left")
        for stage, title in TITLES.items():
            if stage in done:
                table.add_row("[green]✓[/]", title, Text(done[stage]))
            elif stage is missing:
                table.add_row("[red]✗[/]", f"[red]{title}[/]", Text(why, style="red"))
            else:
                table.add_row("·", f"[dim]{title}[/]", "[dim]not reached[/]")
        self._console.print(table)

    def play(self, *, console: str, shop: str, vendor: str) -> None:
        """How to go on by hand."""
        text = PLAY.format(console=console, shop=shop, vendor=vendor)
        self._console.print(Panel(text, border_style="magenta"))
