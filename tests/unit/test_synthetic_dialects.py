"""Every vendor writes its own way, and what it writes is read back."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from typing import Any, get_args

import numpy as np
import pydicom
import pytest

from radnet.geometry import canonical_axes
from radnet.scan.reader import read_instances
from radnet.sources.blob import MemoryBlob
from radnet.synthetic import dialects, trap_series
from radnet.synthetic import protocols as p
from radnet.synthetic.anatomy import make_body
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import SCRIPT_NAMES, person
from radnet.synthetic.protocols import Exam, Part, Protocol, Syntax, Vendor
from radnet.synthetic.sampling import Subject, prepare
from radnet.synthetic.series import acquire, file_of, stacks

VENDORS = get_args(Vendor)
MATRIX = 32
"""The least that JPEG 2000 takes with its usual resolutions."""
SYNTAXES = {
    "": "1.2.840.10008.1.2.1",
    "bare": None,  # nothing in the file names it
    "implicit": "1.2.840.10008.1.2",
    "big_endian": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg": "1.2.840.10008.1.2.4.70",
    "jpeg_ls": "1.2.840.10008.1.2.4.80",
    "jpeg_2000": "1.2.840.10008.1.2.4.90",
}


@cache
def subject() -> Subject:
    return prepare(make_body(3, "M", step_mm=8.0), Arrays(NUMPY), 3)


def place_of(
    protocol: Protocol, vendor: Vendor = "siemens", modality: str = "MR", **exam: Any
) -> SeriesPlace:
    study = Exam(modality, vendor, "study", "HEAD", (protocol,), **exam)  # type: ignore[arg-type]
    return SeriesPlace(person(1, 0, "M"), study, replace(protocol, matrix=MATRIX), (1, 0, 0, 0))


def files_of(place: SeriesPlace) -> dict[str, bytes]:
    parts = stacks(subject().body, place)
    return dict(acquire(subject(), place, parts))


def datasets_of(place: SeriesPlace) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(io.BytesIO(content), force=True) for content in files_of(place).values()]


def where(dataset: pydicom.Dataset) -> tuple[float, ...]:
    return (*dataset.ImagePositionPatient, *dataset.ImageOrientationPatient)


def scanned(content: bytes) -> list[dict[str, Any]]:
    return list(read_instances(MemoryBlob(content), b"key"))


MR = trap_series.mr("t2_se", "T2", p.HEAD, p.T2_SE, 40.0)
CT = trap_series.ct("Head", p.HEAD, p.HEAD_CT, 40.0)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_every_vendor_makes_images_under_its_own_name_and_root(vendor: Vendor, modality: str) -> None:
    place = place_of(CT if modality == "CT" else MR, vendor, modality)
    files = files_of(place)
    for number, (name, content) in enumerate(files.items(), 1):
        dataset = pydicom.dcmread(io.BytesIO(content))
        assert (dataset.Manufacturer, dataset.ManufacturerModelName) == dialects.DEVICES[modality, vendor]
        assert dataset.SOPInstanceUID.startswith(dialects.ROOTS[vendor])
        assert dataset.SeriesInstanceUID.startswith(dialects.ROOTS[vendor])
        assert dataset.SOPInstanceUID.is_valid
        assert name == file_of(place, number)
        assert dataset.pixel_array.std() > 0


def test_vendors_name_kernels_devices_and_pulses_apart() -> None:
    assert set(dialects.KERNELS) == set(dialects.MR_WORDS) == set(dialects.ROOTS) == set(VENDORS)
    kernels = [name for names in dialects.KERNELS.values() for name in names.values()]
    assert len(set(kernels)) == len(kernels)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("b_value", [0.0, 800.0])
def test_the_b_value_of_every_vendor_is_read_back(vendor: Vendor, b_value: float) -> None:
    technique = replace(p.DWI, b_s_mm2=b_value)
    protocol = trap_series.mr("dwi", "DWI", p.HEAD, technique, 60.0)
    (content, *_) = files_of(place_of(protocol, vendor)).values()
    (row,) = scanned(content)
    assert row["DiffusionBValue"] == b_value


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips", "uih"])
def test_the_b_value_stands_in_the_private_element_alone(vendor: Vendor) -> None:
    protocol = trap_series.mr("dwi", "DWI", p.HEAD, p.DWI, 60.0)
    dataset = datasets_of(place_of(protocol, vendor))[0]
    assert "DiffusionBValue" not in dataset


@pytest.mark.parametrize("syntax", get_args(Syntax))
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_every_transfer_syntax_holds_the_same_pixels(syntax: Syntax, modality: str) -> None:
    protocol = CT if modality == "CT" else MR
    vendor: Vendor = "ge"  # whose CT numbers are signed
    plain = datasets_of(place_of(protocol, vendor, modality))
    stored = datasets_of(place_of(replace(protocol, syntax=syntax), vendor, modality))
    assert {dataset.file_meta.get("TransferSyntaxUID") for dataset in stored} == {SYNTAXES[syntax]}
    for one, other in zip(plain, stored, strict=True):
        if syntax == "bare":
            other.file_meta.TransferSyntaxUID = SYNTAXES["implicit"]
        np.testing.assert_array_equal(one.pixel_array, other.pixel_array)


def test_every_transfer_syntax_is_tested() -> None:
    assert set(SYNTAXES) == set(get_args(Syntax))


@pytest.mark.parametrize("order", ["reversed", "transposed", "flipped"])
def test_the_order_of_storage_changes_neither_place_nor_picture(order: p.Order) -> None:
    quiet = replace(p.HEAD_CT, noise_hu=0.001)
    protocol = trap_series.ct("Head", p.HEAD, quiet, 40.0)
    plain = datasets_of(place_of(protocol, modality="CT"))
    stored = datasets_of(place_of(replace(protocol, order=order), modality="CT"))
    assert [where(dataset) for dataset in plain] != [where(dataset) for dataset in stored]
    by_height = {round(float(d.ImagePositionPatient[2]), 2): d for d in stored}
    for dataset in plain:
        other = by_height[round(float(dataset.ImagePositionPatient[2]), 2)]
        axes = canonical_axes([float(value) for value in other.ImageOrientationPatient])
        image = other.pixel_array.T if axes.transpose else other.pixel_array
        image = image[:, ::-1] if axes.flip_columns else image
        difference = np.abs(image.astype(int) - dataset.pixel_array.astype(int))
        assert np.median(difference) <= 1
        assert (difference > 25).mean() < 0.02  # streaks and table fall on other voxels


def test_patients_are_named_in_the_script_of_their_study() -> None:
    for charset, name in SCRIPT_NAMES.items():
        dataset = datasets_of(place_of(MR, charset=charset))[0]
        assert str(dataset.PatientName) == name
        assert dataset.get("SpecificCharacterSet") == (charset.split("\\") if "\\" in charset else charset)


def test_parts_differ_in_what_tells_them_apart() -> None:
    parts = (
        Part(trap_series.DUAL_ECHO_PD, "pd", (("EchoNumbers", 1),)),
        Part(trap_series.DUAL_ECHO_T2, "t2_se", (("EchoNumbers", 2),)),
    )
    place = place_of(replace(MR, parts=parts))
    found = stacks(subject().body, place)
    assert [(stack.sequence, stack.first) for stack in found] == [("pd", 1), ("t2_se", found[0].images + 1)]
    datasets = datasets_of(place)
    assert {(d.EchoNumbers, float(d.EchoTime)) for d in datasets} == {(1, 14.0), (2, 92.0)}
    assert [d.InstanceNumber for d in datasets] == list(range(1, len(datasets) + 1))


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_an_enhanced_object_holds_the_frames_of_all_its_stacks(modality: str) -> None:
    protocol = replace(CT if modality == "CT" else MR, storage="enhanced", field=p.HEAD_LONG)
    technique = protocol.technique
    parts = (Part(technique, protocol.sequence), Part(technique, protocol.sequence, view="sagittal"))
    place = place_of(replace(protocol, parts=parts), modality=modality)
    ((_, content),) = files_of(place).items()
    rows = scanned(content)
    found = stacks(subject().body, place)
    assert len(rows) == sum(stack.images for stack in found)
    for stack in found:
        first = rows[stack.first - 1]
        assert first["frame"] == stack.first
        np.testing.assert_allclose(first["ImagePositionPatient"], stack.plans[0].positions[0])
        np.testing.assert_allclose(first["ImageOrientationPatient"][:3], stack.plans[0].row)
    dataset = pydicom.dcmread(io.BytesIO(content))
    assert len(dataset.pixel_array) == len(rows)


def test_an_enhanced_ct_has_the_hounsfield_units_of_a_classic_one() -> None:
    classic = datasets_of(place_of(CT, modality="CT"))
    (enhanced,) = datasets_of(place_of(replace(CT, storage="enhanced"), modality="CT"))
    values = enhanced.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    for one, stored in zip(classic, enhanced.pixel_array, strict=True):
        np.testing.assert_array_equal(
            one.pixel_array + float(one.RescaleIntercept), stored + float(values.RescaleIntercept)
        )


def test_a_mosaic_holds_a_volume_in_every_image() -> None:
    protocol = trap_series.mr("fmri", "bold", p.HEAD, trap_series.BOLD, 40.0)
    slices = datasets_of(place_of(protocol))
    sheets = datasets_of(place_of(replace(protocol, storage="mosaic")))
    assert "MOSAIC" in sheets[0].ImageType
    assert len({tuple(sheet.ImagePositionPatient) for sheet in sheets}) == 1
    side = sheets[0].Rows // MATRIX
    tiles = sheets[0].pixel_array.reshape(side, MATRIX, side, MATRIX).swapaxes(1, 2)
    tiles = tiles.reshape(-1, MATRIX, MATRIX)
    assert sheets[0][0x0019, 0x100A].value == len(slices)
    for image, tile in zip(slices, tiles, strict=False):
        np.testing.assert_array_equal(image.pixel_array, tile)


def test_overridden_elements_are_written_emptied_or_left_out() -> None:
    header = (("BodyPartExamined", ""), ("ProtocolName", None), ("SeriesNumber", 77))
    dataset = datasets_of(place_of(replace(MR, header=header)))[0]
    assert dataset.BodyPartExamined == ""
    assert "ProtocolName" not in dataset
    assert dataset.SeriesNumber == 77


def test_slice_pairs_are_acquisitions_of_their_own() -> None:
    datasets = datasets_of(place_of(replace(CT, storage="pairs"), modality="CT"))
    assert [d.AcquisitionNumber for d in datasets] == [n // 2 + 1 for n in range(len(datasets))]


def test_tilted_slices_are_turned_about_the_middle_of_the_field() -> None:
    straight, turned = (
        stacks(subject().body, place_of(replace(CT, tilt_deg=angles), modality="CT"))[0].plans[0]
        for angles in ((0.0, 0.0, 0.0), (12.0, 0.0, 0.0))
    )
    np.testing.assert_allclose(straight.corners().mean(0), turned.corners().mean(0), atol=0.5)
    assert np.degrees(np.arccos(turned.normal @ straight.normal)) == pytest.approx(12.0)


def test_series_of_one_acquisition_share_its_time() -> None:
    first, later = (
        SeriesPlace(
            person(1, 0, "M"), Exam("CT", "ge", "s", None, ()), replace(CT, shares=back), (1, 0, 0, n)
        )
        for n, back in ((2, 0), (3, 1))
    )
    assert first.started_s == later.started_s
    assert first.series_uid != later.series_uid


def test_odd_files_are_made_of_the_first_image() -> None:
    place = place_of(replace(CT, strays=("copy", "recompressed", "truncated", "foreign")), "ge", "CT")
    files = files_of(place)
    image = files[file_of(place, 1)]
    assert files["zz Copy of image.dcm"] == image
    again = pydicom.dcmread(io.BytesIO(files["zz recompressed.dcm"]))
    whole = pydicom.dcmread(io.BytesIO(image))
    assert again.SOPInstanceUID == whole.SOPInstanceUID
    assert again.file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(again.pixel_array, whole.pixel_array)
    cut = files["zz partial.dcm"]
    assert len(cut) < len(image)
    assert b"DICM" not in files["zz viewer.ini"][:140]
