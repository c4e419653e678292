"""From a pretrained backbone to organ masks: cases, segmenter, and studies of what the transfer gives."""
