"""How each vendor writes what it did: the words for sequences, image types, devices and private elements.

The same physics has different names: a turbo FLAIR is SE on Siemens, IR on GE and IR with SE on Philips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydicom.dataset import Dataset
from pydicom.uid import UID

from radnet.synthetic.ct import CtTechnique, Kernel
from radnet.synthetic.identity import uid
from radnet.synthetic.protocols import Form, Protocol, Vendor
from radnet.synthetic.signal import MrTechnique

Pulse = Literal["spin", "inversion", "gradient", "prepared_gradient", "echo_planar"]
ECHO_PLANAR_RUNS: Final = ("fmri", "perfusion", "dwi", "adc")
GE_B_VALUE_FLAG: Final = 1_000_000_000
"""Added to the b-value by newer software of GE."""
STANDARD_B_VALUE: Final = ("toshiba", "canon", "hitachi")
"""Vendors whose b-value stands in the standard's element."""
UIH_CREATOR: Final = "Image Private Header"
"""Of group 0065 (as GDCM knows the vendor by it)."""


@dataclass(frozen=True, slots=True)
class Words:
    """Values of the MR sequence attributes."""

    scanning: tuple[str, ...]
    variant: tuple[str, ...]
    options: tuple[str, ...]


MR_WORDS: Final[dict[Vendor, dict[Pulse, Words]]] = {
    "siemens": {
        "spin": Words(("SE",), ("SK", "SP"), ("SAT1",)),
        "inversion": Words(("SE",), ("SK", "SP", "MP"), ("SAT1",)),
        "gradient": Words(("GR",), ("SP", "OSP"), ("PFP",)),
        "prepared_gradient": Words(("GR", "IR"), ("SP", "MP", "OSP"), ("IR",)),
        "echo_planar": Words(("EP",), ("SK", "SP"), ("PFP", "FS")),
    },
    "ge": {
        "spin": Words(("SE",), ("SK",), ("FAST_GEMS", "TRF_GEMS")),
        "inversion": Words(("IR",), ("SK",), ("FAST_GEMS", "NPW")),
        "gradient": Words(("GR",), ("SS", "SP"), ("FAST_GEMS",)),
        "prepared_gradient": Words(("GR",), ("SS", "SP"), ("FAST_GEMS", "IR")),
        "echo_planar": Words(("EP", "SE"), ("NONE",), ("EPI_GEMS", "FS")),
    },
    "philips": {
        "spin": Words(("SE",), ("SK",), ("OTHER",)),
        "inversion": Words(("IR", "SE"), ("SK",), ("OTHER",)),
        "gradient": Words(("GR",), ("SP",), ("OTHER",)),
        "prepared_gradient": Words(("GR",), ("MP",), ("OTHER",)),
        "echo_planar": Words(("SE", "EP"), ("SK",), ("FS",)),
    },
    "uih": {
        "spin": Words(("SE",), ("SK",), ("NONE",)),
        "inversion": Words(("SE", "IR"), ("SK",), ("NONE",)),
        "gradient": Words(("GR",), ("SP",), ("NONE",)),
        "prepared_gradient": Words(("GR", "IR"), ("SP", "MP"), ("NONE",)),
        "echo_planar": Words(("EP",), ("SK",), ("FS",)),
    },
    "hitachi": {
        "spin": Words(("SE",), ("SK",), ("NONE",)),
        "inversion": Words(("IR",), ("SK",), ("NONE",)),
        "gradient": Words(("GR",), ("SP",), ("NONE",)),
        "prepared_gradient": Words(("GR", "IR"), ("SP", "MP"), ("NONE",)),
        "echo_planar": Words(("EP",), ("NONE",), ("FS",)),
    },
}
"""Words of the vendors that make MR scanners; those of UIH, Hitachi and Canon are from memory."""
MR_WORDS["canon"] = {
    "spin": Words(("SE",), ("SK",), ("NONE",)),
    "inversion": Words(("SE", "IR"), ("SK",), ("NONE",)),
    "gradient": Words(("GR",), ("SP",), ("NONE",)),
    "prepared_gradient": Words(("GR", "IR"), ("MP",), ("NONE",)),
    "echo_planar": Words(("SE", "EP"), ("NONE",), ("FS",)),
}
MR_WORDS["toshiba"] = MR_WORDS["canon"]

DEVICES: Final[dict[tuple[str, Vendor], tuple[str, str]]] = {
    ("CT", "siemens"): ("SIEMENS", "Sensation 64"),
    ("CT", "ge"): ("GE MEDICAL SYSTEMS", "LightSpeed VCT"),
    ("CT", "philips"): ("Philips", "Brilliance 64"),
    ("CT", "toshiba"): ("TOSHIBA", "Aquilion"),
    ("CT", "canon"): ("CANON_MEC", "Aquilion ONE"),
    ("CT", "uih"): ("UIH", "uCT 760"),
    ("CT", "hitachi"): ("Hitachi, Ltd.", "SCENARIA"),
    ("MR", "siemens"): ("SIEMENS", "Avanto"),
    ("MR", "ge"): ("GE MEDICAL SYSTEMS", "DISCOVERY MR750"),
    ("MR", "philips"): ("Philips Medical Systems", "Achieva"),
    ("MR", "toshiba"): ("TOSHIBA_MEC", "MRT200PP3"),
    ("MR", "canon"): ("CANON_MEC", "Vantage Titan 3T"),
    ("MR", "uih"): ("UIH", "uMR 780"),
    ("MR", "hitachi"): ("Hitachi, Ltd.", "ECHELON Smart"),
}
"""Manufacturer and model."""

KERNELS: Final[dict[Vendor, dict[Kernel, str]]] = {
    "siemens": {"soft": "B30f", "bone": "B60f", "lung": "B70f"},
    "ge": {"soft": "STANDARD", "bone": "BONE", "lung": "LUNG"},
    "philips": {"soft": "B", "bone": "D", "lung": "L"},
    "toshiba": {"soft": "FC08", "bone": "FC30", "lung": "FC52"},
    "canon": {"soft": "FC18", "bone": "FC35", "lung": "FC55"},
    "uih": {"soft": "B_SOFT_B", "bone": "B_SHARP_C", "lung": "B_VSHARP_C"},
    "hitachi": {"soft": "31", "bone": "61", "lung": "21"},
}
"""Names of the reconstruction kernels."""

REFORMAT_TYPES: Final[dict[Vendor, tuple[str, ...]]] = {
    "siemens": ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MPR"),
    "ge": ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"),
    "philips": ("DERIVED", "PRIMARY", "MPR"),
    "toshiba": ("DERIVED", "SECONDARY", "MPR"),
    "canon": ("DERIVED", "SECONDARY", "MPR"),
    "uih": ("DERIVED", "SECONDARY", "MPR"),
    "hitachi": ("DERIVED", "SECONDARY", "MPR"),
}
FORM_TYPES: Final[dict[Form, tuple[str, ...]]] = {
    "projection": ("DERIVED", "SECONDARY", "MIP"),
    "subtraction": ("DERIVED", "SECONDARY", "SUBTRACT"),
    "parametric": ("DERIVED", "SECONDARY", "OTHER"),
    "other": ("DERIVED", "SECONDARY"),
}
"""ImageType of what is computed, by any vendor."""

MR_IMAGE_TYPES: Final[dict[Vendor, tuple[str, ...]]] = {
    "siemens": ("ORIGINAL", "PRIMARY", "M", "ND", "NORM"),
    "ge": ("ORIGINAL", "PRIMARY", "OTHER"),
    "philips": ("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"),
    "toshiba": ("ORIGINAL", "PRIMARY", "OTHER"),
    "canon": ("ORIGINAL", "PRIMARY", "OTHER"),
    "uih": ("ORIGINAL", "PRIMARY", "M", "NONE"),
    "hitachi": ("ORIGINAL", "PRIMARY", "OTHER"),
}
DIFFUSION_TYPES: Final[dict[Vendor, tuple[str, ...]]] = {
    **MR_IMAGE_TYPES,
    "siemens": ("ORIGINAL", "PRIMARY", "DIFFUSION", "TRACEW", "ND"),
    "uih": ("ORIGINAL", "PRIMARY", "DIFFUSION", "TRACE"),
}
ADC_TYPES: Final[dict[Vendor, tuple[str, ...]]] = {
    "siemens": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"),
    "ge": ("DERIVED", "SECONDARY", "COMBINED"),
    "philips": ("DERIVED", "PRIMARY", "ADC", "ADC", "UNSPECIFIED"),
    "toshiba": ("DERIVED", "SECONDARY", "OTHER"),
    "canon": ("DERIVED", "SECONDARY", "ADC"),
    "uih": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"),
    "hitachi": ("DERIVED", "SECONDARY", "ADC"),
}

ROOTS: Final[dict[Vendor, str]] = {
    "siemens": "1.3.12.2.1107.5",
    "ge": "1.2.840.113619.2",
    "philips": "1.3.46.670589.33",
    "toshiba": "1.2.392.200036.9116.2",
    "canon": "1.2.392.200036.9116.2",
    "uih": "1.2.156.112605",
    "hitachi": "1.2.392.200036.9123",
}
"""Roots under which the vendors' scanners make identifiers; ours end in 36 digits of a digest."""

CT_PRIVATE: Final[dict[Vendor, tuple[int, str, int, str, str]]] = {
    "siemens": (0x0019, "SIEMENS CT VA0  COAD", 0xB0, "FD", "FeedPerRotation"),
    "ge": (0x0045, "GEMS_HELIOS_01", 0x01, "SS", "NumberOfMacroRows"),
    "toshiba": (0x7005, "TOSHIBA_MEC_CT3", 0x0B, "SH", "filter"),
    "canon": (0x7005, "TOSHIBA_MEC_CT3", 0x0B, "SH", "filter"),
}
"""A private element of a CT: group, creator, element, VR, what it tells."""


def pulse(technique: MrTechnique, sequence: str = "") -> Pulse:
    """Say which kind of pulse sequence a technique needs.

    Args:
        technique: Its parameters.
        sequence: What the images are for: functional, perfusion and diffusion runs are echo planar.
    """
    if technique.b_s_mm2 or technique.family == "adc_map" or sequence in ECHO_PLANAR_RUNS:
        return "echo_planar"
    if technique.family == "gradient_echo":
        return "gradient" if technique.ti_ms is None else "prepared_gradient"
    return "spin" if technique.ti_ms is None else "inversion"


def image_type(modality: str, vendor: Vendor, protocol: Protocol) -> list[str]:
    """Return ImageType as the vendor writes it."""
    if protocol.sequence == "localizer":
        tail = ("CT_SOM5 TOP",) if (modality, vendor) == ("CT", "siemens") else ()
        return ["ORIGINAL", "PRIMARY", "LOCALIZER", *tail]
    if protocol.form in FORM_TYPES and protocol.sequence != "adc":
        return list(FORM_TYPES[protocol.form])
    if protocol.reformat:
        return list(REFORMAT_TYPES[vendor])
    if modality == "CT":
        return ["ORIGINAL", "PRIMARY", "AXIAL", *(("CT_SOM5 SPI",) if vendor == "siemens" else ())]
    types = {"adc": ADC_TYPES, "dwi": DIFFUSION_TYPES}.get(protocol.sequence, MR_IMAGE_TYPES)
    return list(types[vendor])


def vendor_uid(vendor: Vendor, *parts: int | str) -> UID:
    """Derive an identifier as `identity.uid` does, under the root of a vendor's scanners."""
    return UID(f"{ROOTS[vendor]}.{uid(*parts).rpartition('.')[2]}")


def sequence_name(technique: MrTechnique, sequence: str = "") -> str:
    """Return the name of a Siemens pulse sequence, e.g. `*tse2d1_15`."""
    kind, train = pulse(technique, sequence), technique.echo_train
    if kind == "echo_planar":
        if sequence in ("fmri", "perfusion"):
            return "*epfid2d1_64"
        return f"*ep_b{technique.b_s_mm2:.0f}{'t' if technique.b_s_mm2 else ''}"
    if kind in ("gradient", "prepared_gradient"):
        return "*tfl3d1" if kind == "prepared_gradient" else "*fl3d1" if technique.tr_ms < 6 else "*fl2d1"
    if kind == "inversion":
        return f"*tir2d1_{train}"
    return "*se2d1" if train == 1 else f"*h2d1_{train}" if train == 128 else f"*tse2d1_{train}"


def add_private(
    dataset: Dataset, vendor: Vendor, technique: MrTechnique | CtTechnique, sequence: str = ""
) -> None:
    """Add the vendor's private elements: a b-value where there is one, else an element that says little.

    Canon and Hitachi write the b-value into the standard's element.
    """
    if isinstance(technique, CtTechnique):
        _add_ct_private(dataset, vendor)
        return
    b_value, weighted = int(technique.b_s_mm2), sequence == "dwi"
    if vendor == "siemens":
        block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", str(b_value)) if weighted else block.add_new(0x08, "CS", "IMAGE NUM 4")
    elif vendor == "ge":
        dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9C, "LO", "fse-xl")
        if weighted:
            block = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
            block.add_new(0x39, "IS", [GE_B_VALUE_FLAG + b_value, 8, 0, 0])
    elif vendor == "philips":
        block = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
        block.add_new(0x03, "FL", float(b_value))
    elif vendor == "uih" and weighted:
        block = dataset.private_block(0x0065, UIH_CREATOR, create=True)
        block.add_new(0x09, "FD", float(b_value))
    elif vendor in STANDARD_B_VALUE and weighted:
        dataset.DiffusionBValue = float(b_value)


def _add_ct_private(dataset: Dataset, vendor: Vendor) -> None:
    if vendor not in CT_PRIVATE:
        return
    group, creator, element, vr, _ = CT_PRIVATE[vendor]
    value = {"FD": 19.2, "SS": 16}.get(vr, "ORG")
    dataset.private_block(group, creator, create=True).add_new(element, vr, value)
