"""Refuse what cannot be learnt, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radnet.errors import TrainingError
from radnet.networks.spec import NetworkSpec
from radnet.pretrain.losses import CLASS_HEADS, class_counts
from radnet.pretrain.targets import Target


def refuse_unlearnable(targets: Mapping[str, Target], heads: Sequence[str], spec: NetworkSpec) -> None:
    """Refuse heads that the training volumes say nothing about.

    Args:
        targets: Of the volumes that train.
        heads: That shall be trained.
        spec: Names the classes.

    Raises:
        TrainingError: If a head has no label at all, or labels of one class alone.
    """
    counts = class_counts(targets, heads)
    for head in heads:
        without = ", ".join(f"'{other}'" for other in heads if other != head)
        way_out = f"add volumes that differ in it, or leave the head out: [pretrain] heads = [{without}]"
        n_known = int(targets[head].known.sum())
        if not n_known:
            raise TrainingError(
                f"none of the {len(targets[head].known)} training volumes has a label for the head '{head}'; "
                f"{way_out}"
            )
        present = sum(count > 0 for count in counts[head])
        if head in CLASS_HEADS and present < 2:
            only = getattr(spec, f"{head}s")[counts[head].index(n_known)]
            raise TrainingError(
                f"all {n_known} training volumes with a label for the head '{head}' are '{only}', and one "
                f"class teaches nothing; {way_out}"
            )
        if head == "coverage" and all(count in (0, n_known) for count in counts[head]):
            raise TrainingError(
                f"all {n_known} training volumes with a label for the head 'coverage' cover the same; "
                f"{way_out}"
            )
