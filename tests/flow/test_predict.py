"""A network labels an archive without torch; every series gets an answer or a reason, kills lose nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import polars as pl
import pytest
from ellipsoids import SPEC, WINDOW, backbone
from small_archives import image, write_image
from typer.testing import CliRunner

from radnet.cli import app
from radnet.config import load_config
from radnet.errors import NetworkError, WorkspaceError
from radnet.executors import Shard, Workers
from radnet.networks.folder import SHIPPED_FOLDER
from radnet.networks.model import load_model
from radnet.networks.segmentation import SegmentationNetwork
from radnet.networks.segmenter import load_segmenter, save_segmenter
from radnet.networks.segmenter_spec import make_segmenter_spec
from radnet.pipeline import run_pipeline, status
from radnet.predict import parts
from radnet.predict.agreement import count_agreement
from radnet.predict.stage import PredictSummary, predict_stacks
from radnet.volumes.store import VolumeStore
from radnet.workspace import Workspace

SERIAL = Workers("serial")
SLICES = 20


def nifti(path: Path, spacing: tuple[float, float, float] = (2.0, 2.0, 5.0)) -> Path:
    values = np.random.default_rng(3).normal(400, 90, (24, 28, SLICES)).astype(np.float32)
    written = nib.Nifti1Image(values, np.diag([*spacing, 1.0]))
    written.header.set_zooms([max(step, 1.0) for step in spacing])
    written.header["pixdim"][1:4] = spacing
    nib.save(written, path)
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic archive, three slices, colours, and NIfTI files, one without spacing."""
    folder = tmp_path_factory.mktemp("predict")
    command = [sys.executable, "-m", "radnet", "synthesize", str(folder / "made"), "--preset", "tiny"]
    subprocess.run(command, check=True, capture_output=True)
    source = folder / "made" / "archive"
    for number in range(3):
        write_image(source / "three" / f"{number}.dcm", image(70, number))
    for number in range(SLICES):
        coloured = image(71, number)
        coloured.SamplesPerPixel, coloured.PhotometricInterpretation = 3, "RGB"
        coloured.PlanarConfiguration = 0
        coloured.BitsAllocated = coloured.BitsStored = 8
        coloured.HighBit = 7
        coloured.PixelData = bytes(3 * 64)
        write_image(source / "colour" / f"{number}.dcm", coloured)
    nifti(source / "scan.nii.gz")
    broken = nifti(source / "no_spacing.nii")
    content = bytearray(broken.read_bytes())
    content[80:92] = bytes(12)  # pixdim[1:4], which nibabel would mend as it writes
    broken.write_bytes(content)
    return source


@pytest.fixture(scope="module")
def no_torch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which torch cannot be imported, in workers neither."""
    folder = tmp_path_factory.mktemp("no_torch")
    (folder / "torch.py").write_text("raise ModuleNotFoundError('torch is blocked', name='torch')\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def made(archive: Path, no_torch: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the command ran without torch."""
    folder = tmp_path_factory.mktemp("made")
    command = [sys.executable, "-m", "radnet", "predict", str(archive), "--workers", "2", "--json"]
    command += ["--out", "p.parquet", "--coded", "codes.csv", "--embeddings", "features.npy"]
    done = subprocess.run(command, cwd=folder, env=no_torch, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "summary.json").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def table(made: Path) -> pl.DataFrame:
    return pl.read_parquet(made / "p.parquet")


@pytest.fixture
def labelled(made: Path, tmp_path: Path) -> Path:
    """A copy of the workspace in which nothing is predicted yet."""
    shutil.copytree(made / "p.work", tmp_path / "work", copy_function=shutil.copy2)
    shutil.rmtree(tmp_path / "work" / "7-predict")
    return tmp_path / "work"


def reasons(table: pl.DataFrame, **where: Any) -> list[str | None]:
    return table.filter(**where)["reason"].to_list()


def answers(table: pl.DataFrame) -> pl.DataFrame:
    return table.select("stack_id", "reason", "sequence", "spacing_mm", "embedding").sort("stack_id")


def test_every_stack_and_file_has_an_answer_or_a_reason(made: Path, table: pl.DataFrame) -> None:
    stacks = pl.read_parquet(made / "p.work/2-series/series.parquet")
    assert table.filter(kind="dicom")["stack_id"].sort().to_list() == stacks["stack_id"].sort().to_list()
    assert table.filter(kind="nifti").height == 2
    answered = table["reason"].is_null()
    for column in ("sequence", "view", "contrast", "coverage", "spacing_mm", "embedding"):
        assert (table[column].is_not_null() == answered).all(), column
    assert (table["explanation"].is_null() == answered).all()
    assert answered.sum() >= 8
    summary = json.loads((made / "summary.json").read_text())
    assert (
        summary["n_predicted"] + sum(summary["not_predicted"].values()) == summary["n_series"] == len(table)
    )


def test_bad_series_have_their_reason(table: pl.DataFrame) -> None:
    assert reasons(table, SeriesInstanceUID=image(70, 0).SeriesInstanceUID) == ["too_few_slices"]
    assert reasons(table, SeriesInstanceUID=image(71, 0).SeriesInstanceUID) == ["colour"]
    told = dict(table.filter(kind="nifti").select("path", "explanation").iter_rows())
    by_name = {Path(path).name: why for path, why in told.items()}
    assert by_name["scan.nii.gz"] is None
    assert "does not say how far its voxels are apart" in str(by_name["no_spacing.nii"])
    assert "localizer" in table["reason"].to_list()


def test_probabilities_stand_behind_the_words(table: pl.DataFrame) -> None:
    answered = table.filter(pl.col("reason").is_null())
    for label in ("sequence", "view", "contrast"):
        columns = [name for name in table.columns if name.startswith(f"p_{label}_")]
        chances = answered.select(columns).to_numpy()
        assert np.allclose(chances.sum(1), 1, atol=1e-5)
        said = [columns[place].removeprefix(f"p_{label}_") for place in chances.argmax(1)]
        assert said == answered[label].to_list()


def test_answers_are_those_of_the_model_on_built_volumes(
    archive: Path, made: Path, table: pl.DataFrame, tmp_path: Path
) -> None:
    steps = run_pipeline([archive], tmp_path / "work", workers=SERIAL, until="volumes")
    assert [stage.name for stage, _ in steps][-1] == "volumes"
    store = VolumeStore(tmp_path / "work" / "4-volumes")
    model = load_model("small")
    features = model.embed([store.read(name) for name in store.ids])
    rows = table.filter(pl.col("stack_id").is_in(list(store.ids))).sort("stack_id")
    assert rows["stack_id"].to_list() == sorted(store.ids)
    assert np.allclose(rows["embedding"].to_numpy(), features, atol=1e-3)


def test_the_files_beside_the_table_hold_the_same(made: Path, table: pl.DataFrame) -> None:
    answered = table.filter(pl.col("reason").is_null())
    features = np.load(made / "features.npy")
    ids = pl.read_csv(made / "features.npy.ids.csv")
    assert ids["stack_id"].to_list() == answered["stack_id"].to_list()
    assert np.array_equal(features, answered["embedding"].to_numpy())
    coded = pl.read_csv(made / "codes.csv", infer_schema=False)
    said = coded.filter(origin="network", label="view").select("stack_id", "word").sort("stack_id")
    assert said.rows() == answered.select("stack_id", "view").sort("stack_id").rows()


def test_no_text_of_a_header_leaves_the_workspace(made: Path, table: pl.DataFrame) -> None:
    stacks = pl.read_parquet(made / "p.work/2-series/series.parquet")
    texts = {
        text
        for column in ("SeriesDescription", "StudyDescription", "ProtocolName")
        for text in stacks[column].drop_nulls()
        if len(text) > 4
    }
    assert texts
    columns = [name for name, dtype in table.schema.items() if dtype == pl.String and name != "path"]
    held = {text for name in columns for text in table[name].drop_nulls()}
    assert texts & held <= {"localizer"}  # a reason of ours too
    for name in ("codes.csv", "summary.json", "features.npy.ids.csv"):
        content = (made / name).read_text()
        assert not [text for text in texts if text in content and text != "localizer"], name
    assert str(made) not in (made / "codes.csv").read_text()


def test_a_second_run_asks_nothing(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "p.work", tmp_path / "work", copy_function=shutil.copy2)
    summary = predict_stacks(tmp_path / "work", workers=SERIAL)
    assert summary.n_asked == 0
    assert summary.predictions is not None


KILLED = """
import os, sys
from radnet.predict import parts, stage
from radnet.executors import Workers

parts.FLUSH_ROWS = 1
stage.CHUNK_SERIES = 1
add, count = parts.PartWriter.add, 0

def add_or_die(self, frame):
    global count
    add(self, frame)
    count += 1
    if count == 4:
        os._exit(9)

parts.PartWriter.add = add_or_die
stage.predict_stacks(sys.argv[1], workers=Workers("serial"))
"""


def test_a_killed_run_goes_on_where_it_was(labelled: Path, table: pl.DataFrame) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(labelled)], check=False)
    assert killed.returncode == 9
    assert not (labelled / "7-predict/predictions.parquet").exists()
    assert [stage.state for stage in status(labelled) if stage.stage == "predict"] == ["incomplete"]
    summary = predict_stacks(labelled, workers=SERIAL)
    told = pl.read_parquet(labelled / "7-predict/predictions.parquet")
    tried = table["inputs"].is_not_null().sum()
    assert summary.n_asked == tried - 4
    assert answers(told).equals(answers(table))
    assert [stage.state for stage in status(labelled) if stage.stage == "predict"] == ["fresh"]
    assert list((labelled / "7-predict/parts").glob("*/*.parquet")) == []


def test_shares_make_together_what_one_run_makes(labelled: Path, table: pl.DataFrame) -> None:
    first = predict_stacks(labelled, workers=SERIAL, shard=Shard(0, 2))
    assert first.n_outstanding > 0
    assert first.predictions is None
    assert not (labelled / "7-predict/predictions.parquet").exists()
    second = predict_stacks(labelled, workers=SERIAL, shard=Shard(1, 2))
    assert second.n_outstanding == 0
    assert second.n_asked == first.n_outstanding
    told = pl.read_parquet(labelled / "7-predict/predictions.parquet")
    assert answers(told).equals(answers(table))


def test_two_runs_on_the_same_share_are_refused(labelled: Path) -> None:
    with (
        Workspace(labelled).lock("7-predict/parts/0-of-1"),
        pytest.raises(WorkspaceError, match="is being written by another radnet process"),
    ):
        predict_stacks(labelled, workers=SERIAL)


def test_a_damaged_part_is_answered_again(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = labelled / "7-predict/parts/0-of-1"
    share.mkdir(parents=True)
    (share / "00000000000000000001-1.parquet").write_bytes(b"PAR1 torn by a power cut")
    summary = predict_stacks(labelled, workers=SERIAL)
    assert summary.n_predicted >= 8
    assert summary.n_outstanding == 0


def test_ranges_of_the_table_are_merged_whole(
    labelled: Path, monkeypatch: pytest.MonkeyPatch, table: pl.DataFrame
) -> None:
    monkeypatch.setattr(parts, "RANGE_ROWS", 3)
    predict_stacks(labelled, workers=SERIAL)
    told = pl.read_parquet(labelled / "7-predict/predictions.parquet")
    assert answers(told).equals(answers(table))
    assert [path.name for path in (labelled / "7-predict").glob(".*partial*")] == []


def test_other_settings_are_answered_again(labelled: Path) -> None:
    before = predict_stacks(labelled, workers=SERIAL)
    config = load_config(changes={"volumes": {"shape": (40, 160, 160)}})
    after = predict_stacks(labelled, config, SERIAL)
    assert after.n_asked == before.n_asked > 0


@pytest.fixture(scope="module")
def summary(made: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made / "summary.json").read_text())
    return found


def test_agreement_is_counted_from_the_table(table: pl.DataFrame, summary: dict[str, Any]) -> None:
    answered = table.filter(pl.col("reason").is_null())
    view = next(row for row in summary["agreement"] if row["label"] == "view")
    known = answered.filter(pl.col("header_view").is_not_null())
    assert view["agree"] == known.filter(pl.col("view") == pl.col("header_view")).height
    assert view["conflict"] == known.height - view["agree"]
    assert view["filled"] == answered.height - known.height
    sequence = next(row for row in summary["agreement"] if row["label"] == "sequence")
    strange = ~pl.col("header_sequence").is_in(list(load_model("small").spec.sequences))
    assert sequence["no_class"] == answered.filter(strange).height
    for row in summary["agreement"]:
        assert row["agree"] + row["conflict"] + row["filled"] + row["no_class"] == answered.height
    assert [row.label for row in count_agreement(table, load_model("small").spec)] == [
        row["label"] for row in summary["agreement"]
    ]


def test_the_page_shows_network_and_header(labelled: Path) -> None:
    predict_stacks(labelled, workers=SERIAL)
    done = CliRunner().invoke(app, ["report", "--work", str(labelled)])
    assert done.exit_code == 0, done.output
    page = (labelled / "8-report/index.html").read_text()
    ET.fromstring(page)
    assert "Network and header" in page
    counts = json.loads((labelled / "7-predict/agreement.json").read_text())["labels"]
    assert all(f'<td class="n">{row["filled"]}</td>' in page for row in counts if row["filled"])


def test_an_archive_of_localizers_alone_is_a_table_of_reasons(tmp_path: Path) -> None:
    for number in range(3):
        slice_ = image(5, number)
        slice_.SeriesDescription = "Localizer"
        slice_.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        write_image(tmp_path / "a" / f"{number}.dcm", slice_)
    out = tmp_path / "p.parquet"
    done = CliRunner().invoke(
        app, ["predict", str(tmp_path / "a"), "--out", str(out), "--executor", "serial"]
    )
    assert done.exit_code == 0, done.output
    assert pl.read_parquet(out)["reason"].to_list() == ["localizer"]
    assert pl.read_parquet(out)["explanation"].to_list() == [
        "a localizer: a few slices for planning, no volume"
    ]


def test_nothing_to_read_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "radnet",
            "predict",
            str(tmp_path / "none"),
            "--out",
            str(tmp_path / "p.parquet"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no such source" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"no onnx"), "is damaged or incomplete"),
        (lambda folder: shutil.rmtree(folder), "no such model folder.*RADNet brings liver, small"),
    ],
    ids=["weights", "config", "graph", "folder"],
)
def test_a_model_that_cannot_be_used_is_refused_before_anything_is_read(
    spoil: Any, sentence: str, tmp_path: Path
) -> None:
    shutil.copytree(SHIPPED_FOLDER / "small", tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(NetworkError, match=sentence):
        predict_stacks(tmp_path / "work", workers=SERIAL, model=tmp_path / "model", backend="onnx")


def test_a_model_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(SHIPPED_FOLDER / "small", tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text()) | {"format": 99}
    weights = tmp_path / "model/model.safetensors"
    save_file(load_file(weights), weights, {"radnet": json.dumps(config)})
    with pytest.raises(NetworkError, match="was written by a newer radnet"):
        predict_stacks(tmp_path / "work", workers=SERIAL, model=tmp_path / "model")


def test_the_audit_draws_what_disagrees(labelled: Path) -> None:
    predict_stacks(labelled, workers=SERIAL)
    done = CliRunner().invoke(app, ["audit", "--work", str(labelled), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    suspects = pl.read_parquet(found["table"])
    assert suspects["margin"].is_sorted(descending=True)
    page = Path(found["page"]).read_text()
    ET.fromstring(page)
    assert all(name in page for name in suspects["stack_id"])  # there are fewer than the page holds
    assert page.count("data:image/png") == found["n_pictures"] > 0


def test_a_series_is_found_among_its_like(made: Path, table: pl.DataFrame) -> None:
    asked = table.filter(pl.col("reason").is_null(), kind="dicom").row(0, named=True)
    command = [
        "neighbours",
        asked["SeriesInstanceUID"],
        "--predictions",
        str(made / "p.parquet"),
        "--count",
        "3",
    ]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert len(found) == 3
    assert asked["stack_id"] not in [one["stack_id"] for one in found]
    likeness = [one["likeness"] for one in found]
    assert likeness == sorted(likeness, reverse=True)


def test_the_organ_is_outlined_beside_the_labels(archive: Path, tmp_path: Path) -> None:
    encoder = backbone(0).encoder
    assert encoder is not None
    fields = {"backbone": SPEC, "window": WINDOW, "slice_mm": 7.7, "region": "liver"}
    save_segmenter(tmp_path / "liver", SegmentationNetwork(make_segmenter_spec(fields), encoder), {})
    asked = ["predict", str(archive), "--out", str(tmp_path / "p.parquet"), "--executor", "serial", "--json"]
    done = CliRunner().invoke(app, [*asked, "--segmenter", str(tmp_path / "liver"), "--outline"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["outline"]["organ"] == "liver"
    outlines = pl.read_parquet(found["outline"]["outlines"])
    predicted = pl.read_parquet(tmp_path / "p.parquet")
    assert set(outlines["stack_id"]) == set(predicted["stack_id"])
    assert set(outlines["kind"]) == {"dicom", "nifti"}


def test_the_shipped_segmenter_outlines_where_none_is_named(archive: Path, tmp_path: Path) -> None:
    asked = ["predict", str(archive), "--out", str(tmp_path / "p.parquet"), "--executor", "serial", "--json"]
    done = CliRunner().invoke(app, [*asked, "--outline"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["outline"]
    assert found["organ"] == "liver"
    assert found["n_series"] == len(pl.read_parquet(tmp_path / "p.parquet"))
    shipped = load_segmenter()
    assert shipped.backend.name != "torch"
    assert shipped.metadata["training_data"]["What"].startswith("synthetic")


def test_a_segmenter_without_an_order_to_outline_is_refused(archive: Path) -> None:
    done = CliRunner().invoke(app, ["predict", str(archive), "--segmenter", "liver"])
    assert done.exit_code == 2
    assert "give --outline too" in " ".join(done.output.split())


def test_summary_fields_are_documented() -> None:
    assert PredictSummary.__doc__ is not None
    assert all(f"{name}:" in PredictSummary.__doc__ for name in PredictSummary.__slots__)
