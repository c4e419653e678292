"""RADNet: from a DICOM archive to labelled 3D volumes, and back to labels for new scans."""

from typing import Final

__version__: Final = "0.1.0"
