"""The feed writer, a process of its own: writes the file every so many seconds until it is ended."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from shelf.file import renew


class Command(BaseCommand):
    help = "Write the product feed again and again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("seconds", type=float)

    def handle(self, *args: Any, **options: Any) -> None:
        turn = 0
        while True:
            turn += 1
            time.sleep(options["seconds"])
            renew(turn)
