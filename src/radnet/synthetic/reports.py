"""Structured reports on a series: what a radiologist wrote, and the dose of a CT.

Source: DICOM PS3.3 A.35.3 and A.35.8; PS3.16 TID 2000 and TID 10011 with the templates that they include.
"""

from __future__ import annotations

from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, XRayRadiationDoseSRStorage

from radnet.masks.sources import item
from radnet.synthetic.derived import Parent, belonging
from radnet.synthetic.identity import PHYSICIAN, uid

Coded = tuple[str, str, str]
"""Value, scheme and meaning."""

DOSE_LENGTH_MGY_CM: Final = 310.0
MEAN_CTDI_MGY: Final = 9.5
_MILLIGRAY: Final = ("mGy", "UCUM", "mGy")
_MILLIGRAY_CM: Final = ("mGy.cm", "UCUM", "mGy.cm")
_UNITY: Final = ("1", "UCUM", "no units")
_MILLIMETRE: Final = ("mm", "UCUM", "mm")
_SECOND: Final = ("s", "UCUM", "s")


def report(parent: Parent) -> Dataset:
    """Make the report of a radiologist who read the series."""
    dataset = belonging(parent, "Report", ComprehensiveSRStorage, "SR", 4)
    _begin(dataset, parent, ("18748-4", "LN", "Diagnostic Imaging Report"), "2000")
    finding = _text(("121071", "DCM", "Finding"), f"Nothing of note. Dr {PHYSICIAN}")
    finding.ContentSequence = [_image(parent)]
    dataset.ContentSequence = [
        _code(
            "HAS CONCEPT MOD",
            ("121049", "DCM", "Language of Content Item and Descendants"),
            ("en", "RFC5646", "English"),
        ),
        _code("HAS OBS CONTEXT", ("121005", "DCM", "Observer Type"), ("121007", "DCM", "Device")),
        _uid("HAS OBS CONTEXT", ("121012", "DCM", "Device Observer UID"), uid("workstation")),
        _container(("121070", "DCM", "Findings"), [finding]),
    ]
    return dataset


def dose_report(parent: Parent) -> Dataset:
    """Make the radiation dose report of a CT scanner."""
    dataset = belonging(parent, "Dose Report", XRayRadiationDoseSRStorage, "SR", 5)
    _begin(dataset, parent, ("113701", "DCM", "X-Ray Radiation Dose Report"), "10011")
    procedure = _code(
        "HAS CONCEPT MOD",
        ("121058", "DCM", "Procedure reported"),
        ("77477000", "SCT", "Computed Tomography X-Ray"),
    )
    procedure.ContentSequence = [
        _code(
            "HAS CONCEPT MOD", ("363703001", "SCT", "Has Intent"), ("261004008", "SCT", "Diagnostic Intent")
        )
    ]
    scope = _code("HAS OBS CONTEXT", ("113705", "DCM", "Scope of Accumulation"), ("113014", "DCM", "Study"))
    scope.ContentSequence = [
        _uid("HAS PROPERTIES", ("110180", "DCM", "Study Instance UID"), dataset.StudyInstanceUID)
    ]
    started = f"{dataset.StudyDate}083000"
    dataset.ContentSequence = [
        procedure,
        _code("HAS OBS CONTEXT", ("121005", "DCM", "Observer Type"), ("121007", "DCM", "Device")),
        _uid("HAS OBS CONTEXT", ("121012", "DCM", "Device Observer UID"), uid("scanner")),
        _code(
            "HAS OBS CONTEXT",
            ("113876", "DCM", "Device Role in Procedure"),
            ("113859", "DCM", "Irradiating Device"),
        ),
        _moment(("113809", "DCM", "Start of X-Ray Irradiation"), started),
        _moment(("113810", "DCM", "End of X-Ray Irradiation"), started),
        scope,
        _container(("113811", "DCM", "CT Accumulated Dose Data"), _accumulated()),
        _container(("113819", "DCM", "CT Acquisition"), _acquisition(parent)),
        _code(
            "CONTAINS",
            ("113854", "DCM", "Source of Dose Information"),
            ("113856", "DCM", "Automated Data Collection"),
        ),
    ]
    return dataset


def _begin(dataset: Dataset, parent: Parent, title: Coded, template: str) -> None:
    """Set what every structured report has at its top."""
    delattr(dataset, "Laterality")
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.PerformedProcedureCodeSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = [
        item(
            StudyInstanceUID=dataset.StudyInstanceUID,
            ReferencedSeriesSequence=[
                item(
                    SeriesInstanceUID=parent.first.SeriesInstanceUID,
                    ReferencedSOPSequence=parent.references(),
                )
            ],
        )
    ]
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = [_coded(title)]
    dataset.ContentTemplateSequence = [item(MappingResource="DCMR", TemplateIdentifier=template)]


def _accumulated() -> list[Dataset]:
    return [
        _number(("113812", "DCM", "Total Number of Irradiation Events"), 1, _UNITY),
        _number(("113813", "DCM", "CT Dose Length Product Total"), DOSE_LENGTH_MGY_CM, _MILLIGRAY_CM),
    ]


def _acquisition(parent: Parent) -> list[Dataset]:
    """Return the one irradiation of the report."""
    event = uid("irradiation event", parent.seed, str(parent.first.SeriesInstanceUID))
    dose = [
        _number(("113830", "DCM", "Mean CTDIvol"), MEAN_CTDI_MGY, _MILLIGRAY),
        _code(
            "CONTAINS",
            ("113835", "DCM", "CTDIw Phantom Type"),
            ("113691", "DCM", "IEC Body Dosimetry Phantom"),
        ),
        _number(("113838", "DCM", "DLP"), DOSE_LENGTH_MGY_CM, _MILLIGRAY_CM),
    ]
    parameters = [
        _number(("113824", "DCM", "Exposure Time"), 5.0, _SECOND),
        _number(("113825", "DCM", "Scanning Length"), 320.0, _MILLIMETRE),
    ]
    return [
        _text(("125203", "DCM", "Acquisition Protocol"), "Routine"),
        _code("CONTAINS", ("123014", "DCM", "Target Region"), ("38266002", "SCT", "Entire body")),
        _code(
            "CONTAINS", ("113820", "DCM", "CT Acquisition Type"), ("116152004", "SCT", "Spiral Acquisition")
        ),
        _uid("CONTAINS", ("113769", "DCM", "Irradiation Event UID"), event),
        _container(("113822", "DCM", "CT Acquisition Parameters"), parameters),
        _container(("113829", "DCM", "CT Dose"), dose),
    ]


def _coded(code: Coded) -> Dataset:
    value, scheme, meaning = code
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _content(relationship: str, value_type: str, name: Coded, **values: Any) -> Dataset:
    return item(
        RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=[_coded(name)], **values
    )


def _code(relationship: str, name: Coded, value: Coded) -> Dataset:
    return _content(relationship, "CODE", name, ConceptCodeSequence=[_coded(value)])


def _uid(relationship: str, name: Coded, value: str) -> Dataset:
    return _content(relationship, "UIDREF", name, UID=value)


def _moment(name: Coded, value: str) -> Dataset:
    return _content("HAS OBS CONTEXT", "DATETIME", name, DateTime=value)


def _text(name: Coded, value: str) -> Dataset:
    return _content("CONTAINS", "TEXT", name, TextValue=value)


def _number(name: Coded, value: float, unit: Coded) -> Dataset:
    measured = item(NumericValue=f"{value:g}", MeasurementUnitsCodeSequence=[_coded(unit)])
    return _content("CONTAINS", "NUM", name, MeasuredValueSequence=[measured])


def _container(name: Coded, contents: list[Dataset]) -> Dataset:
    return _content("CONTAINS", "CONTAINER", name, ContinuityOfContent="SEPARATE", ContentSequence=contents)


def _image(parent: Parent) -> Dataset:
    return item(
        RelationshipType="INFERRED FROM", ValueType="IMAGE", ReferencedSOPSequence=[parent.reference(0)]
    )
