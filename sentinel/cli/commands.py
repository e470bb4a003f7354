"""The group of all commands: names and help from the table in ``main``, the rest when asked for."""

import click

from sentinel import __version__
from sentinel.cli.main import COMMANDS, load


class Commands(click.Group):
    """The commands of `COMMANDS`, loaded one by one when they are asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        command: click.Command | None = load(name)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table alone, so that ``--help`` loads no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.does) for name, row in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sentinel", message="%(prog)s %(version)s")
def sentinel() -> None:
    """Watch online shops, respond to incidents, page people: all declared in YAML."""
