"""Write a model's card: the README.md of its folder, in the layout of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radnet.networks.spec import NetworkSpec

_CARD = """\
---
library_name: radnet
pipeline_tag: image-classification
tags:
- medical-imaging
- radiology
- dicom
- ct
- mr
- 3d
---

# {name}

Labels a CT or MR volume by its pixels: sequence, view, contrast agent, coverage and slice spacing.

```python
import radnet

model = radnet.load_model("{name}")
labels = model.classify(volumes)  # uint8, (n, {shape})
features = model.embed(volumes)  # (n, {embedding})
```

| | |
|---|---|
| Network | {network}, width {width}, {norm} normalisation |
| Input | {shape} slices, rows, columns; grey levels {grey_levels}{besides} |
| Sequence | {sequences} |
| View | {views} |
| Contrast | {contrasts} |
| Coverage | {regions} |
| Made with | {versions} |

## Training data

{training_data}

## Measured

{measured}

## Limits

The labels follow the pixels alone and were learnt from headers; on scanners, protocols and bodies unlike
those of the training data they are less certain than the figures above say. Not a medical device.
"""


def render_card(
    name: str, spec: NetworkSpec, metadata: Mapping[str, Any], versions: Mapping[str, str], measured: str
) -> str:
    """Write the card as Markdown with a YAML head.

    Args:
        name: Of the folder.
        spec: Of the network.
        metadata: As in `save_model`; its `training_data` is shown, one line an entry.
        versions: Of the packages that made it.
        measured: The table of figures, in Markdown; may be empty.
    """
    data = metadata.get("training_data") or {}
    return _CARD.format(
        name=name,
        network=spec.network,
        width=spec.width,
        norm=spec.norm,
        shape=" x ".join(map(str, spec.input_shape)),
        besides=_besides(spec),
        embedding=spec.embedding,
        grey_levels=_grey_levels(spec),
        sequences=", ".join(spec.sequences),
        views=", ".join(spec.views),
        contrasts=", ".join(spec.contrasts),
        regions=", ".join(spec.regions),
        versions=", ".join(f"{package} {version}" for package, version in versions.items()),
        training_data="\n".join(f"- {key}: {value}" for key, value in data.items()) or "Not recorded.",
        measured=measured.strip() or "Not measured yet.",
    )


def _grey_levels(spec: NetworkSpec) -> str:
    if spec.intensity == "min_max":
        return "by `min_max`"
    (low, high), (lowest, highest) = spec.ct_window, spec.mr_percentiles
    return f"from {low:g} to {high:g} HU, in MR from percentile {lowest:g} to {highest:g}"


def _besides(spec: NetworkSpec) -> str:
    """Say what the network makes of the volume beside looking at it."""
    close_up = "" if spec.close_up is None else "; a close-up of levels {:g} to {:g}".format(*spec.close_up)
    return close_up + (f"; their histogram, by {spec.histogram} neurons" if spec.histogram else "")
