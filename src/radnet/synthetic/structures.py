"""The names of what a body's label map holds, the tissue of each, and the regions they make up."""

from __future__ import annotations

from typing import Final

VERTEBRAE: Final = (
    *(f"c{number}" for number in range(1, 8)),
    *(f"t{number}" for number in range(1, 13)),
    *(f"l{number}" for number in range(1, 6)),
    "sacrum",
)
"""From the head down."""

_BONES: Final = (
    "skull",
    "mandible",
    "rib",
    "sternum",
    "clavicle",
    "scapula",
    "humerus",
    "forearm_bone",
    "pelvic_bone",
    "femur",
)

TISSUE_OF: Final[dict[str, str]] = {
    "outside": "air",
    "skin": "skin",
    "fat": "fat",
    "inner_fat": "fat",
    "muscle": "muscle",
    "chewing_muscle": "muscle",
    "neck_muscle": "muscle",
    "eye_muscle": "muscle",
    "diaphragm": "muscle",
    "tendon": "tendon",
    **dict.fromkeys(VERTEBRAE, "bone"),
    **{f"{name}_marrow": "marrow" for name in VERTEBRAE},
    **dict.fromkeys(_BONES, "bone"),
    **{f"{name}_marrow": "marrow" for name in _BONES},
    "shaft_marrow": "yellow_marrow",
    "hyoid": "bone",
    "disc": "disc",
    "tooth": "tooth",
    "cartilage": "cartilage",
    "costal_cartilage": "cartilage",
    "brain_csf": "csf",
    "grey_matter": "grey_matter",
    "white_matter": "white_matter",
    "deep_grey": "deep_grey",
    "cerebellum_grey": "grey_matter",
    "cerebellum_white": "white_matter",
    "brain_stem": "white_matter",
    "ventricle": "csf",
    "dural_sinus": "venous_blood",
    "lesion": "tumour_enhancing",
    "lesion_core": "necrosis",
    "oedema": "oedema",
    "eye": "eye_fluid",
    "eye_wall": "tendon",
    "lens": "lens",
    "optic_nerve": "nerve",
    "mucosa": "mucosa",
    "sinus": "air",
    "nasal_cavity": "air",
    "sphenoid_sinus": "air",
    "nasopharynx": "air",
    "oropharynx": "air",
    "tongue": "tongue",
    "salivary_gland": "gland",
    "larynx": "air",
    "larynx_cartilage": "cartilage",
    "thyroid": "thyroid",
    "airway": "air",
    "airway_wall": "cartilage",
    "oesophagus": "oesophagus_wall",
    "spinal_fluid": "csf",
    "cord": "cord",
    "lung": "lung",
    "lung_vessel": "blood",
    "heart": "heart_muscle",
    "left_ventricle": "arterial_blood",
    "right_ventricle": "venous_blood",
    "left_atrium": "arterial_blood",
    "right_atrium": "venous_blood",
    "aorta": "arterial_blood",
    "pulmonary_artery": "blood",
    "vena_cava": "venous_blood",
    "artery": "arterial_blood",
    "vein": "venous_blood",
    "portal_vein": "portal_blood",
    "breast_fat": "fat",
    "breast_gland": "gland",
    "liver": "liver",
    "liver_vessel": "portal_blood",
    "gallbladder": "bile",
    "gallstone": "calcification",
    "spleen": "spleen",
    "kidney_cortex": "kidney_cortex",
    "kidney_medulla": "kidney_medulla",
    "renal_pelvis": "urine",
    "adrenal": "adrenal",
    "pancreas": "pancreas",
    "stomach_wall": "bowel_wall",
    "stomach_content": "bowel_content",
    "stomach_gas": "air",
    "bowel_wall": "bowel_wall",
    "bowel_content": "bowel_content",
    "bowel_gas": "air",
    "colon_wall": "bowel_wall",
    "colon_content": "bowel_content",
    "colon_gas": "air",
    "rectum": "bowel_wall",
    "rectum_content": "bowel_content",
    "rectum_gas": "air",
    "bladder_wall": "muscle",
    "bladder": "urine",
    "prostate": "prostate",
    "seminal_vesicle": "prostate",
    "testis": "prostate",
    "uterus": "uterus",
    "uterine_cavity": "gland",
    "ovary": "uterus",
    "pleural_effusion": "effusion",
    "cyst": "cyst_fluid",
    "tumour": "tumour_hypovascular",
    "metal": "metal",
}
"""Tissue of each structure; a structure's number is its place in this table."""

OLD_MARROW: Final = tuple(name for name, tissue in TISSUE_OF.items() if tissue == "marrow")
"""What loses its trabeculae in the old."""

NUMBER: Final[dict[str, int]] = {name: number for number, name in enumerate(TISSUE_OF)}
"""Number of each structure in the label map."""

GUT: Final = ("bowel_wall", "bowel_content", "bowel_gas", "colon_wall", "colon_content", "colon_gas")
"""Small and large intestine without the rectum."""

REGION_STRUCTURES: Final[dict[str, tuple[str, ...]]] = {
    "brain": (
        "grey_matter",
        "white_matter",
        "deep_grey",
        "cerebellum_grey",
        "cerebellum_white",
        "brain_stem",
        "ventricle",
    ),
    "upper_head_neck": ("sphenoid_sinus", "nasopharynx", "oropharynx"),
    "lower_head_neck": ("larynx", "thyroid"),
    "lung": ("lung",),
    "breast": ("breast_fat", "breast_gland"),
    "liver": ("liver",),
    "kidney": ("kidney_cortex", "kidney_medulla"),
    "intestine": (*GUT, "rectum", "rectum_content", "rectum_gas"),
    "pelvis": ("pelvic_bone", "pelvic_bone_marrow"),
}
"""What must lie wholly inside a scan that covers a region (paper, figure 1); the lower head and neck
reaches down to the apex of the lung."""

REGION_NUMBERS: Final[dict[str, tuple[int, ...]]] = {
    region: tuple(NUMBER[name] for name in names) for region, names in REGION_STRUCTURES.items()
}
"""The same as numbers of the label map."""
