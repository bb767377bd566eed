"""Print the number of points of each operation, and whether all hold: `python -m tests.faults.enumerate [WORD ...]`.

Only operations with one of the words in their name are enumerated. `--mode kill` or `--mode raise` selects one mode.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.crash.catalogue import ALL
from tests.faults.crash.enumerating import Enumerator, in_memory
from tests.faults.crash.zygote import Zygote


def main() -> int:
    """Enumerate, and print a line for each operation and for each breach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--mode", choices=["kill", "raise"])
    parser.add_argument("--all", action="store_true", help="also the points that operations share")
    parser.add_argument("--point", action="append", help="only this one, as it was printed")
    asked = parser.parse_args()
    failed = total = 0
    with tempfile.TemporaryDirectory(prefix="mux-points-", dir=in_memory()) as folder, Zygote(Path(folder)) as zygote:
        for number, operation in enumerate(ALL.values()):
            if asked.words and not any(word in operation.name for word in asked.words):
                continue
            work = Path(folder) / str(number)
            work.mkdir()
            enumerator = Enumerator(zygote, operation, work)
            for mode in ("kill", "raise"):
                if asked.mode not in {None, mode}:
                    continue
                began = time.monotonic()
                found = enumerator.run(mode, asked.point or enumerator.points(mode, own=not asked.all))
                total += len(found.points)
                failed += len(found.breaches)
                missed = f", {len(found.missed)} not passed" if found.missed else ""
                _say(
                    f"{operation.name:28} {mode:5} {len(found.points):4} points, {len(found.breaches):3} breaches"
                    f"{missed} ({time.monotonic() - began:.0f} s)"
                )
                for point, breaches in found.breaches.items():
                    for breach in breaches:
                        _say(f"    {point}: {breach}")
    _say(f"{total} points, {failed} with a breach")
    return 1 if failed else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
