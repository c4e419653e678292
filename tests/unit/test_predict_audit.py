"""Labels that are likely wrong come first, and no series is judged by a probe that saw its patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from radnet.metrics import softmax
from radnet.predict import audit, probe
from radnet.predict.audit import find_suspects, judge_label
from radnet.predict.probe import fit, fold_of, out_of_fold
from radnet.pretrain import probes

SEQUENCES = ("ct", "t1_se", "t2_se")
REGIONS = ("brain", "liver")


def table(n: int = 60, **changed: Any) -> pl.DataFrame:
    """Series of which features and probabilities tell sequence and coverage."""
    generator = np.random.default_rng(2)
    rows = []
    for number in range(n):
        kind = number % 3
        chances = np.full(3, 0.05)
        chances[kind] = 0.9
        features = generator.normal(0, 0.3, 5)
        features[kind] += 3
        rows.append(
            {
                "stack_id": f"{number:04d}",
                "SeriesInstanceUID": f"1.{number}",
                "StudyInstanceUID": f"2.{number}",
                "patient": f"p{number // 2}",
                "kind": "dicom",
                "split": "training",
                "header_sequence": SEQUENCES[kind],
                "header_view": None,
                "header_contrast": None,
                "header_coverage": [REGIONS[0]] if kind else [],
                **{f"p_sequence_{word}": p for word, p in zip(SEQUENCES, chances, strict=True)},
                "p_coverage_brain": 0.8 if kind else 0.1,
                "p_coverage_liver": 0.3,
                "embedding": features.astype(np.float32),
            }
        )
    schema = {
        "header_view": pl.String,
        "header_contrast": pl.String,
        "embedding": pl.Array(pl.Float32, 5),
    }
    frame = pl.DataFrame(rows, schema_overrides=schema)
    return frame.with_columns(**{name: pl.lit(value) for name, value in changed.items()})


def with_wrong(frame: pl.DataFrame, rows: dict[int, str]) -> pl.DataFrame:
    values = [rows.get(row, value) for row, value in enumerate(frame["header_sequence"])]
    return frame.with_columns(header_sequence=pl.Series(values))


@pytest.mark.parametrize("judge", ["network", "probe"])
def test_wrong_labels_come_first(judge: Any) -> None:
    found = find_suspects(with_wrong(table(), {0: "t2_se", 4: "ct"}), judge)
    assert set(found["stack_id"][:2]) == {"0000", "0004"}
    assert len(found) <= 4
    assert found.filter(stack_id="0000").select("header", "network", "judge").row(0) == ("t2_se", "ct", judge)
    assert (found["margin"] > 0).all()


def test_a_right_label_is_no_suspect() -> None:
    assert find_suspects(table(), "network").is_empty()


def test_the_order_is_the_margin() -> None:
    frame = with_wrong(table(), {0: "t2_se", 3: "t2_se"})
    chances = frame["p_sequence_ct"].to_list()
    chances[3] = 0.5
    frame = frame.with_columns(p_sequence_ct=pl.Series(chances))
    assert find_suspects(frame, "network")["stack_id"].to_list() == ["0000", "0003"]


def test_regions_are_judged_by_the_least_likely() -> None:
    values = table()["header_coverage"].to_list()
    values[1] = []
    frame = table().with_columns(header_coverage=pl.Series(values, dtype=pl.List(pl.String)))
    (row,) = find_suspects(frame, "network").to_dicts()
    assert (row["label"], row["stack_id"], row["header"], row["network"]) == (
        "coverage",
        "0001",
        "none",
        "brain",
    )
    assert row["p_header"] == pytest.approx(0.2)


def test_what_trained_is_judged_by_the_probe_and_the_rest_by_the_network() -> None:
    sides = ["training"] * 50 + ["test"] * 10
    judged = judge_label(table().with_columns(split=pl.Series(sides)), "sequence")
    assert judged is not None
    assert judged.by_probe.tolist() == [side == "training" for side in sides]
    judged = judge_label(table(split="validation"), "sequence")
    assert judged is not None
    assert not judged.by_probe.any()


def test_too_few_labels_fit_no_probe() -> None:
    judged = judge_label(table(audit.LEAST_ROWS - 1), "sequence")
    assert judged is not None
    assert not judged.by_probe.any()


def test_words_that_the_network_does_not_know_are_not_judged() -> None:
    judged = judge_label(with_wrong(table(), {0: "dwi"}), "sequence")
    assert judged is not None
    assert 0 not in judged.rows
    assert judge_label(table(), "view") is None


def test_a_patient_stands_in_one_fold() -> None:
    names = [f"p{number}" for number in range(200)]
    assert fold_of(names).tolist() == fold_of(names).tolist()
    assert set(fold_of(names)) == {0, 1, 2, 3, 4}


def test_no_probe_sees_the_patient_that_it_judges() -> None:
    """A patient whose features alone carry a class cannot be told by others."""
    features = np.zeros((40, 3))
    features[:10, 0] = 1  # ten series of one patient, all of class 1
    truth = np.eye(2)[[1] * 10 + [0] * 30]
    patients = ["odd"] * 10 + [f"p{number}" for number in range(30)]
    told = out_of_fold(features, truth, patients, independent=False)
    assert (told[:10, 1] < 0.1).all()
    assert (fit(features, truth, independent=False)(features)[:10, 1] > 0.9).all()


def test_the_probe_agrees_with_a_ruler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is fitted by torch, by another algorithm."""
    monkeypatch.setattr(probes, "PENALTY", probe.PENALTY / 2)
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 6))
    truth = (features @ generator.normal(size=(6, 3)) + generator.normal(size=(300, 3))).argmax(1)
    ours = fit(features, np.eye(3)[truth], independent=False)(features)
    ruler = softmax(probes.logistic(features, truth.astype(float), features))
    assert np.abs(ours - ruler).max() < 0.01
