"""Hand predictions on: features as an array, labels as coded statements.

Codes are of SNOMED CT (SCT) and DICOM (DCM), as DICOM's context groups have them: CID 4 and 4031 for regions,
CID 29 for modalities, and the weightings of CID 7227. Nothing here holds a text of the header or a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from radnet.errors import TableError
from radnet.predict.columns import CLASS_LABELS, PROBABILITY_PREFIX
from radnet.predict.rows import check_predictions, read_blocks


class Code(NamedTuple):
    """A code of a public terminology."""

    value: str
    scheme: str
    meaning: str


T1W: Final = Code("110804", "DCM", "T1 Weighted MR Signal Intensity")
T2W: Final = Code("110805", "DCM", "T2 Weighted MR Signal Intensity")
CODES: Final[dict[tuple[str, str], tuple[Code, ...]]] = {
    ("sequence", "ct"): (Code("CT", "DCM", "Computed Tomography"),),
    ("sequence", "t1_se"): (T1W,),
    ("sequence", "t1_flair"): (T1W,),
    ("sequence", "gre_t1"): (T1W,),
    ("sequence", "t2_se"): (T2W,),
    ("sequence", "t2_flair"): (T2W,),
    ("sequence", "gre_t2star"): (Code("110806", "DCM", "T2* Weighted MR Signal Intensity"),),
    ("sequence", "pd"): (Code("110803", "DCM", "Proton Density Weighted MR Signal Intensity"),),
    ("sequence", "dwi"): (Code("113043", "DCM", "Diffusion weighted"),),
    ("sequence", "adc"): (Code("113041", "DCM", "Apparent Diffusion Coefficient"),),
    ("view", "axial"): (Code("24422004", "SCT", "Axial"),),
    ("view", "coronal"): (Code("81654009", "SCT", "Coronal"),),
    ("view", "sagittal"): (Code("30730003", "SCT", "Sagittal"),),
    ("coverage", "brain"): (Code("12738006", "SCT", "Brain"),),
    ("coverage", "upper_head_neck"): (Code("69536005", "SCT", "Head"),),
    ("coverage", "lower_head_neck"): (Code("45048000", "SCT", "Neck"),),
    ("coverage", "lung"): (Code("39607008", "SCT", "Lung"),),
    ("coverage", "breast"): (Code("76752008", "SCT", "Breast"),),
    ("coverage", "liver"): (Code("10200004", "SCT", "Liver"),),
    ("coverage", "kidney"): (Code("64033007", "SCT", "Kidney"),),
    ("coverage", "intestine"): (
        Code("30315005", "SCT", "Small Intestine"),
        Code("14742008", "SCT", "Large Intestine"),
    ),
    ("coverage", "pelvis"): (Code("816092008", "SCT", "Pelvis"),),
}
"""By label and word; contrast has no code here, and its statements bear the word alone."""
NO_CODE: Final = Code("", "", "")
CODED_COLUMNS: Final = (
    *("stack_id", "StudyInstanceUID", "SeriesInstanceUID", "label", "origin", "word"),
    *("code", "scheme", "meaning", "probability"),
)
EMBEDDING_SUFFIXES: Final = (".npy", ".parquet")


def write_coded(predictions: Path | str, out: Path | str) -> int:
    """Write what network and header say as a CSV table, one statement a row.

    Args:
        predictions: Table of `radnet predict`.
        out: The file to write. `origin` is network or header; a region that is covered is a statement each,
            and `probability` stands beside what the network says.

    Returns:
        The number of statements.

    Raises:
        TableError: If the table cannot be read, or the file not be written there.
    """
    path, out = check_predictions(Path(predictions)), checked_out(Path(out), (".csv",))
    names = list(pl.read_parquet_schema(path))
    chances = [name for name in names if name.startswith(PROBABILITY_PREFIX)]
    words = [f"{origin}{name}" for name in (*CLASS_LABELS, "coverage") for origin in ("", "header_")]
    columns = ("stack_id", "StudyInstanceUID", "SeriesInstanceUID", *words, *chances)
    partial = out.with_name(f".{out.name}.partial")
    n_statements = 0
    try:
        with partial.open("wb") as file:
            file.write((",".join(CODED_COLUMNS) + "\n").encode())
            for block in read_blocks(path, columns, answered=False):
                rows = [statement for row in block.iter_rows(named=True) for statement in _statements(row)]
                n_statements += len(rows)
                schema = dict.fromkeys(CODED_COLUMNS[:-1], pl.String) | {"probability": pl.Float64}
                table = pl.DataFrame(rows, schema=schema, orient="row")
                table.write_csv(file, include_header=False, float_precision=4)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return n_statements


def write_embeddings(predictions: Path | str, out: Path | str) -> int:
    """Write the features of all answered series.

    Args:
        predictions: Table of `radnet predict`.
        out: `.npy` gives an (n, d) float32 array, and beside it FILE.ids.csv with the series of each row;
            `.parquet` gives identifiers and features in one table.

    Returns:
        The number of series.

    Raises:
        TableError: If the table cannot be read, or the file not be written there.
    """
    path, out = check_predictions(Path(predictions)), checked_out(Path(out), EMBEDDING_SUFFIXES)
    identifiers = ("stack_id", "StudyInstanceUID", "SeriesInstanceUID")
    if out.suffix == ".parquet":
        kept = pl.scan_parquet(path).filter(pl.col("reason").is_null())
        table = kept.select(*identifiers, "embedding")
        partial = out.with_name(f".{out.name}.partial")
        table.sink_parquet(partial, compression="zstd")
        partial.replace(out)
        return int(pl.scan_parquet(out).select(pl.len()).collect().item())
    return _write_array(path, out, identifiers)


def _write_array(path: Path, out: Path, identifiers: tuple[str, ...]) -> int:
    answered = pl.scan_parquet(path).filter(pl.col("reason").is_null())
    ids = answered.select(identifiers).collect()
    width = pl.read_parquet_schema(path)["embedding"].shape[0]  # type: ignore[attr-defined]
    partial = out.with_name(f".{out.name}.partial")
    array = np.lib.format.open_memmap(partial, "w+", np.float32, (len(ids), width))
    start = 0
    for block in read_blocks(path, ("embedding",)):
        array[start : start + len(block)] = block["embedding"].to_numpy()
        start += len(block)
    array.flush()
    ids.write_csv(out.with_name(f"{out.name}.ids.csv"))
    partial.replace(out)
    return len(ids)


def checked_out(out: Path, suffixes: tuple[str, ...]) -> Path:
    """Refuse a file that cannot be written, before anything is computed.

    Raises:
        TableError: If its suffix is another, its folder is missing, or it is a folder.
    """
    if out.suffix.lower() not in suffixes:
        raise TableError(f"{out}: the file must end in {' or '.join(suffixes)}")
    if not out.resolve().parent.is_dir() or out.is_dir():
        raise TableError(f"{out}: is a folder, or its folder does not exist; name a file in one that does")
    return out


def _statements(row: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield what is said of one series: by the network first, then by the header."""
    identity = (row["stack_id"], row["StudyInstanceUID"], row["SeriesInstanceUID"])
    for label in (*CLASS_LABELS, "coverage"):
        for origin, prefix in (("network", ""), ("header", "header_")):
            said = row[f"{prefix}{label}"]
            for word in said if isinstance(said, list) else filter(None, (said,)):
                chance = row.get(f"{PROBABILITY_PREFIX}{label}_{word}") if origin == "network" else None
                for code in CODES.get((label, word), (NO_CODE,)):
                    yield (*identity, label, origin, word, *code, chance)
