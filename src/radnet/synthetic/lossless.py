"""Compress a file to JPEG lossless, which pydicom reads but does not write.

GDCM works on files with names; a folder in memory's stead is made and removed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import gdcm

from radnet.errors import SourceError


def jpeg_lossless(content: bytes) -> bytes:
    """Return a DICOM file in JPEG lossless, selection value 1 (1.2.840.10008.1.2.4.70).

    Args:
        content: A file with uncompressed pixels.

    Raises:
        SourceError: If the pixels cannot be compressed.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "given.dcm"), Path(folder, "made.dcm")
        given.write_bytes(content)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(given))
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        if not reader.Read():
            raise SourceError("a synthetic image cannot be compressed to JPEG lossless: GDCM cannot read it")
        change.SetInput(reader.GetImage())
        if not change.Change():
            raise SourceError(
                "a synthetic image cannot be compressed to JPEG lossless: GDCM refuses its pixels"
            )
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(made))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        if not writer.Write():
            raise SourceError("a synthetic image cannot be compressed to JPEG lossless: GDCM cannot write it")
        return made.read_bytes()
