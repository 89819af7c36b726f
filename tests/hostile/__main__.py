"""`python -m tests.hostile WORDS`: play the cases whose names hold these words, each
alone, and say what they break.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from tests.hostile.table import SHARED, cases_of, culprits
from tests.simulation.stage import stage


def main(words: str) -> int:
    with stage() as open_stage:
        chosen = [
            replace(case, marketplace="taobao") if case.marketplace == SHARED else case
            for case in cases_of(open_stage)
        ]
        chosen = [case for case in chosen if words in str(case)]
        broken = 0
        for alone in (False, True):
            for case, label in culprits(open_stage, chosen, alone=alone):
                broken += 1
                print(f"{case}{' (alone)' if alone else ''}: {label}")
        print(f"{len(chosen)} cases, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
