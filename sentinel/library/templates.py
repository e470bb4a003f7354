"""Texts for people, which are Jinja2: whether one can be read. Rendering is the engine's."""

from jinja2 import Environment, TemplateSyntaxError

from sentinel.library.reading import At

MOST_CHARACTERS = 20_000


def check_template(text: str, at: At) -> None:
    """Say so when a text is no Jinja2 template."""
    if len(text) > MOST_CHARACTERS:
        at.wrong(f"this text has {len(text)} characters", f"at most {MOST_CHARACTERS}")
    elif "{" in text:
        try:
            Environment(autoescape=True).parse(text)
        except TemplateSyntaxError as error:
            why = (error.message or "no template").rstrip(".")
            at.wrong(f"this text cannot be rendered: {why}", "write {{ labels.service }}")
