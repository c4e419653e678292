"""RADNet: from a DICOM archive to labelled 3D volumes, and back to labels for new scans."""
