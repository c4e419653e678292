"""Where DICOM lies: folders, zip and tar archives."""
