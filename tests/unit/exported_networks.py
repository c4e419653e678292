"""A small network with all that may lie beside its backbone, for tests of exported and shipped files."""

from __future__ import annotations

from radnet.networks.spec import make_spec

SHAPE = (16, 32, 32)
SPEC = make_spec(
    "resnet10",
    width=8,
    embedding=12,
    input_shape=SHAPE,
    close_up=(0.3, 0.7),
    histogram=8,
    spacing_mean_mm=4.0,
    spacing_std_mm=2.0,
)
