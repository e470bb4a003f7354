"""Numbers and labels as the text format has them."""

from collections.abc import Mapping

from prometheus_client.utils import floatToGoString


def number_text(value: float) -> str:
    """A number as Go and prometheus-client print it: ``200.0``, ``1.0035e+06``, ``NaN``."""
    if -1e6 < value < 1e6:
        return repr(float(value))
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text


def escape(text: str) -> str:
    """A label value as the text format wants it between its quotes."""
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text


def label_name(text: str) -> str:
    """A label name that Prometheus takes: letters, digits and ``_``, no digit first."""
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in text)
    return f"_{name}" if name[:1].isdigit() or not name else name


WHOLE: Mapping[float, str] = {whole: repr(float(whole)) for whole in range(-1, 1000)}
"""The texts of most numbers that are no durations: counts, codes, yes and no."""
