"""What the other series of a study say of one: order of acquisition, twins of a protocol, subtractions.

An agent, once injected, stays on board until the study ends: what follows an enhanced series is enhanced,
what comes before a plain one is plain. Only what series say themselves makes them witnesses, never what was
concluded from order, nor the agent's field alone, which consoles copy from series to series.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from radnet.labels.evidence import Evidence
from radnet.labels.lexicon import Reader
from radnet.labels.studies import CLOCKS, DAY_S, STUDY, clock, in_order, seconds_of_day
from radnet.labels.vote import DECIDED, STATUSES, Ballot
from radnet.terms import CONTRASTS

RELATION: Final = "relation"
"""Tier of the rules that read relations."""
WITNESS_TIERS: Final = ("documented", "series", "protocol")
"""Evidence that makes a series a witness for others."""
ENHANCED_WITNESSES: Final = ("ct", "t1_se", "t1_flair", "gre_t1", "dynamic", "perfusion", "mra")
"""Sequences that are run because an agent is on board; elsewhere `post` may mean anything."""
CONTRAST_WORDS: Final = frozenset(
    ("@given", "@after", "@denied", "@before", "@bolus_phase", "@phase_number", "@mixed")
)
"""Groups that tell runs of one protocol apart; without their words the runs read the same."""
APART_S: Final = 30.0
"""Least time between the starts of two acquisitions; images of one may lie seconds apart."""
LEAST_RUNS: Final = 3
"""Runs of a protocol of which first and last can be told; two may be one and its repetition."""
PROTOCOL: Final = (*STUDY, "sequence", "view", "protocol")
ACQUISITION: Final = (*STUDY, "acquisition_group", "AcquisitionTime")
"""What reconstructions of one acquisition share; numbers alone repeat when an archive was anonymised."""
RECONSTRUCTED: Final = ("original", "reformat")
INJECTION: Final = "ContrastBolusStartTime"
_YES, _NO = (pl.col("said") == word for word in ("yes", "no"))


def relate(frame: pl.DataFrame, evidence: Evidence, own: Ballot) -> pl.DataFrame:
    """Look from each series at the others of its study.

    Args:
        frame: Headers of whole studies, one row a stack or series; `studies.can_be_ordered` must hold.
        evidence: The same rows, with form, sequence and view decided.
        own: What the series say of their own contrast, by `WITNESS_TIERS`.

    Returns:
        A column for each of `evidence.RELATIONS`, in the order of the rows: what was found, or null.
    """
    rows = _telling(_gather(frame, evidence, own))
    begun = in_order(rows.sort("witness").filter(pl.col("form") == "original", pl.col("clock").is_not_null()))
    seen = _with_protocol(begun, evidence.reader).select("row", **_by_order(), **_by_protocol())
    shared = rows.filter(pl.col("form").is_in(RECONSTRUCTED), pl.col(*ACQUISITION[2:]).is_not_null())
    same = shared.select("row", **_by_acquisition())
    everyone = pl.DataFrame({"row": np.arange(frame.height, dtype=np.uint32)})
    for found in (seen, same):
        everyone = everyone.join(found, on="row", how="left", maintain_order="left")
    return everyone.drop("row")


def _gather(frame: pl.DataFrame, evidence: Evidence, own: Ballot) -> pl.DataFrame:
    """Put side by side what relations are made of."""
    sure = own.statuses == STATUSES.index(DECIDED)
    said = pl.Series([*CONTRASTS, None]).gather(np.where(sure, own.codes, len(CONTRASTS)))
    rules = pl.Series([*(rule.name for rule in own.rules), "person"], dtype=pl.String)
    times = (seconds_of_day(name) if name in frame.columns else _none(name) for name in (*CLOCKS, INJECTION))
    return frame.select(
        *STUDY,
        *times,
        *(
            pl.col(name) if name in frame.columns else _none(name)
            for name in ("patient", "acquisition_group")
        ),
        *(evidence.texts(name) for name in ("SeriesNumber", "SeriesDescription", "form", "sequence", "view")),
        said.alias("said"),
        rules.gather(own.winners.clip(min=0)).alias("rule"),
    ).with_row_index("row")


def _none(name: str) -> pl.Expr:
    return pl.lit(None).alias(name)


def _telling(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the studies of one patient that hold a witness, an injection or a subtraction."""
    weak = _YES & ~pl.col("sequence").is_in(ENHANCED_WITNESSES).fill_null(False)
    difference = pl.col("form") == "subtraction"
    number = pl.col("SeriesNumber")
    name = pl.when(number.is_null()).then(pl.lit("a series")).otherwise(pl.lit("series ") + number)
    witness = pl.format("{} ({})", name, "rule")
    told = pl.any_horizontal(pl.col("said", INJECTION).is_not_null(), difference).any().over(STUDY)
    return (
        rows.filter(pl.col(STUDY[0]).str.strip_chars() != "")
        .with_columns(
            pl.when(~weak.fill_null(False)).then("said"),
            witness.alias("witness"),
            difference.any().over(STUDY).alias("subtracted"),
            clock().alias("clock"),
        )
        .filter(told, pl.col("patient").drop_nulls().n_unique().over(STUDY) <= 1)
    )


def _with_protocol(rows: pl.DataFrame, reader: Reader) -> pl.DataFrame:
    """Add the description without its words of contrast; null where nothing is left."""
    texts = rows["SeriesDescription"].unique().drop_nulls()
    read = {text: _without_contrast(text, reader) or None for text in texts}
    return rows.with_columns(
        pl.col("SeriesDescription")
        .replace_strict(read, default=None, return_dtype=pl.String)
        .alias("protocol")
    )


def _without_contrast(text: str, reader: Reader) -> str:
    words = reader.words(text)
    said = (span for span in reader.spans(words) if not CONTRAST_WORDS.isdisjoint(span.phrase.groups))
    gone = {place for span in said for place in range(span.start, span.stop)}
    return " ".join(word for place, word in enumerate(words) if place not in gone)


def _by_order() -> dict[str, pl.Expr]:
    """Relations to what was acquired before and after, whatever its protocol."""
    at = pl.col("at")
    injected = ((pl.col(INJECTION) - pl.col("begin")) % DAY_S).alias("injected")
    injected = pl.when(injected <= at.max().over(STUDY)).then(injected).min().over(STUDY)
    return {
        "enhanced_before": _earlier(_YES, STUDY),
        "plain_after": _later(_NO, STUDY),
        "injection_before": _span("injection", at - injected, "earlier"),
        "injection_after": _span("injection", injected - at, "later"),
    }


def _by_protocol() -> dict[str, pl.Expr]:
    """Relations to the other runs of the same protocol."""
    known, at = pl.col("protocol").is_not_null(), pl.col("at")
    untouched = at.filter(_YES).first().over(STUDY) >= at + APART_S
    runs = (at - at.shift(1).over(PROTOCOL) >= APART_S).fill_null(True).cum_sum().over(PROTOCOL)
    count = runs.max().over(PROTOCOL)
    place = pl.when(runs == 1).then(pl.lit("first")).when(runs == count).then(pl.lit("last"))
    unsaid = pl.col("said").is_null().all().over(PROTOCOL)
    several = known & pl.col("subtracted") & unsaid & (count >= LEAST_RUNS)
    return {
        "twin_enhanced_after": pl.when(known & untouched).then(_later(_YES, PROTOCOL)),
        "twin_plain_before": pl.when(known).then(_earlier(_NO, PROTOCOL)),
        "run_of_subtracted": pl.when(several).then(pl.format("{} of {}", place, count)),
    }


def _by_acquisition() -> dict[str, pl.Expr]:
    """What a series that says nothing learns from reconstructions of its acquisition, if they agree."""
    enhanced, plain = (pl.col("witness").filter(said).first().over(ACQUISITION) for said in (_YES, _NO))
    return {
        "enhanced_acquisition": pl.when(plain.is_null(), pl.col("said").is_null()).then(enhanced),
        "plain_acquisition": pl.when(enhanced.is_null(), pl.col("said").is_null()).then(plain),
    }


def _earlier(witness: pl.Expr, group: tuple[str, ...]) -> pl.Expr:
    """Name the first witness of a group where it came before a row."""
    first = pl.col("at").filter(witness).first().over(group)
    return _span(pl.col("witness").filter(witness).first().over(group), pl.col("at") - first, "earlier")


def _later(witness: pl.Expr, group: tuple[str, ...]) -> pl.Expr:
    """Name the last witness of a group where it came after a row."""
    last = pl.col("at").filter(witness).last().over(group)
    return _span(pl.col("witness").filter(witness).last().over(group), last - pl.col("at"), "later")


def _span(what: pl.Expr | str, seconds: pl.Expr, word: str) -> pl.Expr:
    named = pl.lit(what) if isinstance(what, str) else what
    told = pl.format("{} {} s {}", named, seconds.round().cast(pl.Int64), pl.lit(word))
    return pl.when(seconds >= APART_S).then(told)
