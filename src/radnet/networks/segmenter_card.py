"""Write a segmenter's card: the README.md of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radnet.networks.segmenter_spec import SegmenterSpec

_CARD = """\
---
library_name: radnet
pipeline_tag: image-segmentation
tags:
- medical-imaging
- radiology
- ct
- mr
- 3d
---

# {name}

Outlines the {organ} in CT or MR volumes.

```python
import radnet

segmenter = radnet.load_segmenter("{name}")
mask = segmenter.outline(image)  # uint8, (slices, rows, columns), slices {slice_mm:g} mm apart
```

| | |
|---|---|
| Encoder | {encoder} |
| Decoder | {decoder}, {decoder_norm} normalisation |
| Window | {window} slices, rows, columns; slices {slice_mm:g} mm apart |
| Grey levels | {intensity} |
| Second pass | {second_pass} |
| Made with | {versions} |

## Training data

{training_data}

## Measured

{measured}

## Limits

On scanners, protocols and bodies unlike those of the training data it is less certain than the figures above
say. Not a medical device.
"""


def render_segmenter_card(
    name: str, spec: SegmenterSpec, metadata: Mapping[str, Any], versions: Mapping[str, str], measured: str
) -> str:
    """Write the card as Markdown with a YAML head; arguments as of `render_card`."""
    data = metadata.get("training_data") or {}
    levels = f"CT {spec.ct_window[0]:g} to {spec.ct_window[1]:g} HU, other percentiles {spec.mr_percentiles}"
    return _CARD.format(
        name=name,
        organ=spec.organ,
        slice_mm=spec.slice_mm,
        encoder=_encoder(spec),
        decoder=spec.decoder,
        decoder_norm=spec.decoder_norm,
        window=" x ".join(map(str, spec.window)),
        intensity=levels if spec.intensity == "windows" else "minimum to maximum of the scan",
        second_pass=spec.second_pass,
        versions=", ".join(f"{package} {version}" for package, version in versions.items()),
        training_data="\n".join(f"- {key}: {value}" for key, value in data.items()) or "Not recorded.",
        measured=measured.strip() or "Not measured yet.",
    )


def _encoder(spec: SegmenterSpec) -> str:
    if spec.decoder in ("unet", "segresnet"):
        return f"none: MONAI's {spec.decoder} is the whole network"
    own = spec.backbone
    return f"{own.network}, width {own.width}, {own.norm} normalisation"
