"""Start the shop: ``python -m examples.shop --port 8801``. Prints one JSON line when it answers."""

import argparse
import tempfile
from pathlib import Path

from examples.shop.app import Rhythm, application
from examples.shop.faults import FaultFile
from examples.shop.serving import address_of, end_with_parent, listening, say, serve
from examples.shop.visit import Shop


def main() -> None:
    asked = _arguments()
    end_with_parent(watch=asked.until_stdin_closes)
    with tempfile.TemporaryDirectory(prefix="shop-") as scratch:
        folder = asked.dir or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        listener = listening(asked.port)
        shop = Shop(
            database=folder / "shop.sqlite3",
            feed=folder / "google.xml",
            faults=FaultFile(folder / "faults.json"),
            address=address_of(listener),
            vendor=asked.vendor,
        )
        rhythm = Rhythm(asked.feed_every, asked.job_every, asked.heartbeat)
        serve(application(shop, rhythm, lambda: say(ready="shop", address=shop.address)), listener)


def _arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="python -m examples.shop", description=__doc__)
    asked.add_argument("--port", type=int, default=8801, help="0: any free port")
    asked.add_argument("--dir", type=Path, help="database, feed and faults; default: temporary")
    asked.add_argument("--vendor", help="address of the payment vendor; default: no payment")
    asked.add_argument("--feed-every", type=float, default=60.0, metavar="SECONDS")
    asked.add_argument("--job-every", type=float, default=60.0, metavar="SECONDS")
    asked.add_argument("--heartbeat", help="address to ping around each run of the nightly job")
    asked.add_argument("--until-stdin-closes", action="store_true", help="end with the parent")
    return asked.parse_args()


if __name__ == "__main__":
    main()
