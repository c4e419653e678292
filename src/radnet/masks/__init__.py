"""Masks and label maps from files, in the patient's own geometry."""
