"""From a pretrained network to masks of an organ: cases, splits, region proposal, segmenter, studies."""
