"""The network at work: label, embed, find the like of and audit scans; no torch is needed."""
