"""Pretraining: the network learns the labels of the volumes, and is measured as in the paper's table 1."""
