"""How each vendor writes what it did: the words for sequences, image types, devices and private elements.

The same physics has different names: a turbo FLAIR is SE on Siemens, IR on GE and IR with SE on Philips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydicom.dataset import Dataset

from radnet.synthetic.ct import Kernel
from radnet.synthetic.protocols import Protocol, Vendor
from radnet.synthetic.signal import MrTechnique

Pulse = Literal["spin", "inversion", "gradient", "prepared_gradient", "echo_planar"]


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
}
"""Words of the vendors that make MR scanners here."""

DEVICES: Final[dict[tuple[str, Vendor], tuple[str, str]]] = {
    ("CT", "siemens"): ("SIEMENS", "Sensation 64"),
    ("CT", "ge"): ("GE MEDICAL SYSTEMS", "LightSpeed VCT"),
    ("CT", "philips"): ("Philips", "Brilliance 64"),
    ("CT", "toshiba"): ("TOSHIBA", "Aquilion"),
    ("MR", "siemens"): ("SIEMENS", "Avanto"),
    ("MR", "ge"): ("GE MEDICAL SYSTEMS", "DISCOVERY MR750"),
    ("MR", "philips"): ("Philips Medical Systems", "Achieva"),
}
"""Manufacturer and model."""

KERNELS: Final[dict[Vendor, dict[Kernel, str]]] = {
    "siemens": {"soft": "B30f", "bone": "B60f", "lung": "B70f"},
    "ge": {"soft": "STANDARD", "bone": "BONE", "lung": "LUNG"},
    "philips": {"soft": "B", "bone": "D", "lung": "L"},
    "toshiba": {"soft": "FC08", "bone": "FC30", "lung": "FC52"},
}
"""Names of the reconstruction kernels."""

REFORMAT_TYPES: Final[dict[Vendor, tuple[str, ...]]] = {
    "siemens": ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MPR"),
    "ge": ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"),
    "philips": ("DERIVED", "PRIMARY", "MPR"),
    "toshiba": ("DERIVED", "SECONDARY", "MPR"),
}

MR_IMAGE_TYPES: Final[dict[Vendor, tuple[str, ...]]] = {
    "siemens": ("ORIGINAL", "PRIMARY", "M", "ND", "NORM"),
    "ge": ("ORIGINAL", "PRIMARY", "OTHER"),
    "philips": ("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"),
}


def pulse(technique: MrTechnique) -> Pulse:
    """Say which kind of pulse sequence a technique needs."""
    if technique.b_s_mm2 or technique.family == "adc_map":
        return "echo_planar"
    if technique.family == "gradient_echo":
        return "gradient" if technique.ti_ms is None else "prepared_gradient"
    return "spin" if technique.ti_ms is None else "inversion"


def image_type(modality: str, vendor: Vendor, protocol: Protocol) -> list[str]:
    """Return ImageType as the vendor writes it."""
    if protocol.sequence == "localizer":
        tail = ("CT_SOM5 TOP",) if (modality, vendor) == ("CT", "siemens") else ()
        return ["ORIGINAL", "PRIMARY", "LOCALIZER", *tail]
    if protocol.sequence == "adc":
        return ["DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"]
    if protocol.sequence == "dwi":
        return ["ORIGINAL", "PRIMARY", "DIFFUSION", "TRACEW", "ND"]
    if modality == "MR":
        return list(MR_IMAGE_TYPES[vendor])
    if protocol.reformat:
        return list(REFORMAT_TYPES[vendor])
    return ["ORIGINAL", "PRIMARY", "AXIAL", *(("CT_SOM5 SPI",) if vendor == "siemens" else ())]


def sequence_name(technique: MrTechnique) -> str:
    """Return the name of a Siemens pulse sequence, e.g. `*tse2d1_15`."""
    kind, train = pulse(technique), technique.echo_train
    if kind == "echo_planar":
        return f"*ep_b{technique.b_s_mm2:.0f}t"
    if kind in ("gradient", "prepared_gradient"):
        return "*tfl3d1" if kind == "prepared_gradient" else "*fl3d1" if technique.tr_ms < 6 else "*fl2d1"
    if kind == "inversion":
        return f"*tir2d1_{train}"
    return "*se2d1" if train == 1 else f"*h2d1_{train}" if train == 128 else f"*tse2d1_{train}"


def add_private(dataset: Dataset, vendor: Vendor, technique: MrTechnique) -> None:
    """Add the vendor's private elements: a b-value where there is one, else an element that says little."""
    b_value = int(technique.b_s_mm2)
    if vendor == "siemens":
        block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", str(b_value)) if b_value else block.add_new(0x08, "CS", "IMAGE NUM 4")
    elif vendor == "ge":
        dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9C, "LO", "fse-xl")
        if b_value:
            block = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
            block.add_new(0x39, "IS", [b_value, 8, 0, 0])
    else:
        block = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
        block.add_new(0x03, "FL", float(b_value))
