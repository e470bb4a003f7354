"""Secrets from the environment and from files, read when they are used and never kept."""

import os
import re
from pathlib import Path

from sentinel.errors import SecretMissing
from sentinel.words import Secret

MAX_BYTES = 64 * 1024
_REFERENCE = re.compile(r"\{((?:env|file):[^{}]+)\}")


class LiveSecrets:
    """``kinds.Secrets`` of a node. Relative ``file:`` paths are read from `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def reveal(self, secret: Secret) -> str:
        """The template with every reference replaced. Raises SecretMissing, naming the source."""
        if secret.template.startswith(("env:", "file:")):
            return self._value(secret.template)
        return _REFERENCE.sub(lambda found: self._value(found[1]), secret.template)

    def _value(self, reference: str) -> str:
        source, _, name = reference.partition(":")
        if source == "env":
            if name not in os.environ:
                raise SecretMissing(f"the environment has no {name}")
            return os.environ[name]
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(MAX_BYTES).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as missing:
            raise SecretMissing(f"{reference}: {type(missing).__name__}") from missing
