"""The names of what a body's label map holds, the tissue of each, and the regions they make up."""

from __future__ import annotations

from typing import Final

TISSUE_OF: Final[dict[str, str]] = {
    "outside": "air",
    "skin": "skin",
    "fat": "fat",
    "muscle": "muscle",
    "bone": "bone",
    "marrow": "marrow",
    "vertebra": "bone",
    "vertebra_marrow": "marrow",
    "disc": "disc",
    "rib": "bone",
    "pelvic_bone": "bone",
    "pelvic_marrow": "marrow",
    "femur": "bone",
    "femur_marrow": "marrow",
    "tooth": "tooth",
    "cartilage": "cartilage",
    "skull": "bone",
    "skull_marrow": "marrow",
    "brain_csf": "csf",
    "grey_matter": "grey_matter",
    "white_matter": "white_matter",
    "brain_stem": "white_matter",
    "ventricle": "csf",
    "lesion": "lesion",
    "eye": "eye_fluid",
    "lens": "cartilage",
    "mucosa": "bowel_wall",
    "sinus": "air",
    "nasal_cavity": "air",
    "sphenoid_sinus": "air",
    "nasopharynx": "air",
    "oropharynx": "air",
    "tongue": "muscle",
    "larynx": "air",
    "thyroid": "thyroid",
    "airway": "air",
    "spinal_fluid": "csf",
    "cord": "cord",
    "lung": "lung",
    "lung_vessel": "blood",
    "heart": "heart_muscle",
    "heart_chamber": "blood",
    "artery": "blood",
    "vein": "blood",
    "breast_fat": "fat",
    "breast_gland": "gland",
    "liver": "liver",
    "liver_vessel": "blood",
    "gallbladder": "bile",
    "spleen": "spleen",
    "kidney_cortex": "kidney_cortex",
    "kidney_medulla": "kidney_medulla",
    "pancreas": "pancreas",
    "stomach_wall": "bowel_wall",
    "stomach_content": "bowel_content",
    "stomach_gas": "air",
    "bowel_wall": "bowel_wall",
    "bowel_content": "bowel_content",
    "bowel_gas": "air",
    "bladder": "urine",
    "prostate": "prostate",
    "uterus": "uterus",
}
"""Tissue of each structure; a structure's number is its place in this table."""

NUMBER: Final[dict[str, int]] = {name: number for number, name in enumerate(TISSUE_OF)}
"""Number of each structure in the label map."""

REGION_STRUCTURES: Final[dict[str, tuple[str, ...]]] = {
    "brain": ("grey_matter", "white_matter", "brain_stem", "ventricle"),
    "upper_head_neck": ("sphenoid_sinus", "nasopharynx", "oropharynx"),
    "lower_head_neck": ("larynx", "thyroid"),
    "lung": ("lung",),
    "breast": ("breast_fat", "breast_gland"),
    "liver": ("liver",),
    "kidney": ("kidney_cortex", "kidney_medulla"),
    "intestine": ("bowel_wall", "bowel_content", "bowel_gas"),
    "pelvis": ("pelvic_bone", "pelvic_marrow"),
}
"""What must lie wholly inside a scan that covers a region (paper, figure 1); the lower head and neck
reaches down to the apex of the lung."""
