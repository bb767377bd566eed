"""Kill accepts and picks at random moments: `python -m tests.faults.kills [--times N] [--seed S] [WORD ...]`.

The kinds take turns: on disk, through an editor and partly so, with renames, creations, deletions and binaries. After
each kill the next daemon must have the whole accept or nothing, with exactly that on record and nothing left over; and
repeating it must complete it. Only operations with one of the words in their name are killed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.crash.accepting import ACCEPTING
from tests.faults.crash.enumerating import Enumerator, in_memory
from tests.faults.crash.zygote import Zygote

MORE: float = 1.3
"""Maximum moment, in durations of the operation: the duration varies."""


def kill(times: int, seed: int, words: list[str]) -> int:
    """Kill this many times. Print a line for each operation and for each breach. Return the number of breaches."""
    chosen = [one for one in ACCEPTING if not words or any(word in one.name for word in words)]
    moments = random.Random(seed)
    killed: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    failed = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mux-kills-", dir=in_memory()) as folder, Zygote(Path(folder)) as zygote:
        enumerators = {}
        for number, operation in enumerate(chosen):
            work = Path(folder) / str(number)
            work.mkdir()
            enumerators[operation.name] = Enumerator(zygote, operation, work)
        while killed.total() < times:
            name = chosen[killed.total() % len(chosen)].name
            moment = moments.uniform(0.001, MORE * enumerators[name].seconds)
            at_work, breaches = enumerators[name].kill_after(moment)
            (killed if at_work else missed)[name] += 1
            failed += bool(breaches)
            for breach in breaches:
                _say(f"    {name}, after {moment:.4f} s: {breach}")
    for operation in chosen:
        name = operation.name
        _say(f"{name:28} {killed[name]:4} kills ({missed[name]} came too late)")
    _say(f"{killed.total()} kills with seed {seed}, {failed} with a breach ({time.monotonic() - began:.0f} s)")
    return failed


def main() -> int:
    """Read the arguments, and kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    return 1 if kill(asked.times, asked.seed, asked.words) else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
