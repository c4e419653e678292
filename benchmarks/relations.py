"""How often the other series of a study are right about contrast, on real header texts.

    python benchmarks/relations.py idc_index.parquet

Every series that says itself whether it is enhanced is asked what its neighbours would have said of it; what
it says is the truth. Public indexes hold no times, so the series number stands for the time (2 minutes each):
consoles count up as they acquire, but reconstructions and archives renumber, so that real times do better.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from radnet.config import RadnetConfig
from radnet.labels.engine import Labeller
from radnet.labels.headers import read_headers, typed_headers
from radnet.labels.relations import RELATION
from radnet.labels.vote import Ballot
from radnet.terms import CONTRASTS

RESULTS: Final = Path(__file__).parent / "results" / "relations.json"
WORDS: Final = ("series", "protocol")
LAST_NUMBER: Final = 60
"""Higher series numbers are of derived series."""
SCREENING: Final = "nlst"
"""Left out: 130,000 series without contrast, of which no study is enhanced."""


def main(table: str) -> None:
    headers = _with_times(read_headers(Path(table)))
    done = Labeller(RadnetConfig().labels).label(headers)
    ballot = next(ballot for ballot in done.ballots if ballot.label == "contrast")
    rows = [
        {"rule": rule.name, "modality": modality, **_counts(ballot, index, headers["Modality"] == modality)}
        for index, rule in enumerate(ballot.rules)
        if rule.tier == RELATION
        for modality in ("CT", "MR")
    ]
    for row in rows:
        print(
            f"{row['rule']:36} {row['modality']}  decides {row['decides']:>6,}  "
            f"right {row['right']:>6,} of {row['known']:>6,} that say it themselves"
        )
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


def _with_times(headers: pl.DataFrame) -> pl.DataFrame:
    known = typed_headers(headers)
    minutes = 2 * pl.col("SeriesNumber")
    clock = pl.concat_str((10 + minutes // 60).cast(pl.String), (minutes % 60).cast(pl.String).str.zfill(2))
    return known.filter(
        pl.col("Modality").is_in(["CT", "MR"]),
        pl.col("SeriesNumber").is_between(1, LAST_NUMBER),
        pl.col("collection_id") != SCREENING,
    ).with_columns(clock.alias("AcquisitionTime"))


def _counts(ballot: Ballot, index: int, modality: pl.Series) -> dict[str, Any]:
    """Count where a relation decides, and where it can be compared with a series' own words."""
    votes = ballot.masks[index] & modality.to_numpy()
    tiers = np.array([rule.tier for rule in ballot.rules])
    own = (ballot.statuses == 1) & np.isin(tiers[ballot.winners], WORDS) & (ballot.winners >= 0)
    known = votes & own
    value = CONTRASTS.index(ballot.rules[index].value)
    return {
        "decides": int((votes & (ballot.winners == index)).sum()),
        "known": int(known.sum()),
        "right": int((known & (ballot.codes == value)).sum()),
    }


if __name__ == "__main__":
    main(sys.argv[1])
