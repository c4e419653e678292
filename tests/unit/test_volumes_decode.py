"""Every transfer syntax gives back what was encoded, frame by frame, and damage is named."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite, uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from radnet.errors import SourceError
from radnet.volumes.decode import PixelReader
from radnet.volumes.pixels import SliceError, SliceSource

ROWS, COLUMNS = 65, 70
NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
BY_PYDICOM = {uid.RLELossless: "pylibjpeg", uid.JPEGLSLossless: "pyjpegls", uid.JPEG2000Lossless: "pylibjpeg"}
BY_GDCM = (uid.JPEGLossless, uid.JPEGLosslessSV1)


def pattern(frames: int, dtype: str, low: int, high: int) -> NDArray[Any]:
    rng = np.random.default_rng(frames)
    return rng.integers(low, high, (frames, ROWS, COLUMNS), endpoint=True).astype(dtype)


def image(pixels: NDArray[Any], bits_stored: int, **attributes: Any) -> FileDataset:
    """Make an uncompressed CT-like data set of (frames, rows, columns)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.CTImageStorage, "1.2.3"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = bits_stored, bits_stored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated == 8 else "OW"
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def save(dataset: FileDataset, path: Path, syntax: str) -> Path:
    """Write a data set in a transfer syntax, compressed by pydicom or GDCM."""
    if syntax in BY_GDCM:
        dataset.save_as(path, enforce_file_format=True)
        return transcode(path, syntax)
    if syntax in BY_PYDICOM:
        dataset.compress(
            uid.UID(syntax), encoding_plugin=BY_PYDICOM[uid.UID(syntax)], generate_instance_uid=False
        )
    if syntax == uid.ExplicitVRBigEndian:
        dataset.PixelData = (
            np.frombuffer(dataset.PixelData, f"u{dataset.BitsAllocated // 8}").byteswap().tobytes()
        )
        return save_big_endian(dataset, path)
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    dataset.save_as(path, enforce_file_format=True)
    return path


def save_big_endian(dataset: FileDataset, path: Path) -> Path:
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    return path


def transcode(path: Path, syntax: str) -> Path:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()
    return path


def source_of(path: Path, frame: int | None = None, **changes: Any) -> SliceSource:
    """Say of a file what the scan would say."""
    dataset = dcmread(path)
    element = dataset["PixelData"]
    deflated = dataset.file_meta.TransferSyntaxUID == uid.DeflatedExplicitVRLittleEndian
    encapsulated = bool(element.is_undefined_length)
    found = {
        "path": str(path),
        "frame": frame,
        "pixel_offset": None if deflated else element.file_tell,
        "pixel_length": None if deflated or encapsulated else len(element.value),
        "TransferSyntaxUID": str(dataset.file_meta.TransferSyntaxUID),
        "NumberOfFrames": int(dataset.get("NumberOfFrames", 1)),
        "PixelPaddingValue": dataset.get("PixelPaddingValue"),
        **{
            name: dataset.get(name)
            for name in (
                "SamplesPerPixel",
                "PhotometricInterpretation",
                "Rows",
                "Columns",
                "BitsAllocated",
                "BitsStored",
                "HighBit",
                "PixelRepresentation",
                "RescaleSlope",
                "RescaleIntercept",
                "Modality",
            )
        },
    }
    return SliceSource(**{**found, **changes})


def read(source: SliceSource) -> NDArray[np.float32]:
    with PixelReader() as reader:
        return reader.read(source)


@pytest.mark.parametrize(
    ("dtype", "bits", "low", "high"),
    [
        pytest.param("u1", 8, 0, 255, id="8 bits"),
        pytest.param("u2", 12, 0, 4095, id="12 of 16 bits"),
        pytest.param("u2", 16, 0, 65535, id="16 bits"),
        pytest.param("i2", 16, -32768, 32767, id="16 signed bits"),
        pytest.param("i2", 12, -2048, 2047, id="12 signed bits"),
    ],
)
@pytest.mark.parametrize("syntax", [*NATIVE, *BY_PYDICOM, *BY_GDCM], ids=lambda syntax: syntax.name)
def test_every_transfer_syntax_gives_back_every_frame(
    syntax: uid.UID, dtype: str, bits: int, low: int, high: int, tmp_path: Path
) -> None:
    pixels = pattern(3, dtype, low, high)
    path = save(image(pixels, bits), tmp_path / "scan", syntax)
    for frame, expected in enumerate(pixels, 1):
        np.testing.assert_array_equal(read(source_of(path, frame)), expected.astype(np.float32))


def test_single_frame_without_frame_number_is_read(tmp_path: Path) -> None:
    pixels = pattern(1, "u2", 0, 4095)
    path = save(image(pixels, 12), tmp_path / "scan", uid.JPEG2000Lossless)
    np.testing.assert_array_equal(read(source_of(path)), pixels[0].astype(np.float32))


def test_big_endian_bytes_in_swapped_words_are_put_right(tmp_path: Path) -> None:
    pixels = pattern(2, "u1", 0, 255)[:, :16]
    dataset = image(pixels, 8)
    dataset["PixelData"].VR = "OW"
    dataset.PixelData = np.frombuffer(dataset.PixelData, "u2").byteswap().tobytes()
    path = save_big_endian(dataset, tmp_path / "scan")
    np.testing.assert_array_equal(read(source_of(path, 2)), pixels[1].astype(np.float32))


def test_big_endian_pixels_under_a_little_endian_header_are_read(tmp_path: Path) -> None:
    pixels = pattern(1, "u2", 0, 4095)
    dataset = image(pixels.byteswap(), 12)
    dataset.save_as(tmp_path / "scan", enforce_file_format=True)
    source = source_of(tmp_path / "scan", TransferSyntaxUID="1.2.840.113619.5.2")
    np.testing.assert_array_equal(read(source), pixels[0].astype(np.float32))


def test_deflated_file_gives_back_every_frame(tmp_path: Path) -> None:
    pixels = pattern(2, "i2", -1024, 3071)
    path = save(image(pixels, 16), tmp_path / "scan", uid.DeflatedExplicitVRLittleEndian)
    np.testing.assert_array_equal(read(source_of(path, 2)), pixels[1].astype(np.float32))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless], ids=lambda uid: uid.name)
def test_pixels_that_the_scan_did_not_locate_are_found(syntax: uid.UID, tmp_path: Path) -> None:
    pixels = pattern(2, "u2", 0, 4095)
    path = save(image(pixels, 12), tmp_path / "scan", syntax)
    source = source_of(path, 2, pixel_offset=None, pixel_length=None)
    np.testing.assert_array_equal(read(source), pixels[1].astype(np.float32))


def test_rescale_and_padding_hold_for_compressed_slices(tmp_path: Path) -> None:
    pixels = pattern(1, "i2", 0, 1000)
    pixels[0, 0, :5] = -2000
    dataset = image(pixels, 16, RescaleSlope=1, RescaleIntercept=-1024, PixelPaddingValue=-2000)
    plane = read(source_of(save(dataset, tmp_path / "scan", uid.JPEGLSLossless)))
    np.testing.assert_array_equal(plane[0, 5:], pixels[0, 0, 5:].astype(np.float32) - 1024)
    assert (plane[0, :5] == plane[1:].min()).all()


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.JPEGLosslessSV1], ids=lambda uid: uid.name
)
def test_cut_file_is_refused_by_name(syntax: uid.UID, tmp_path: Path) -> None:
    path = save(image(pattern(1, "u2", 0, 4095), 12), tmp_path / "scan", syntax)
    source = source_of(path)
    path.write_bytes(path.read_bytes()[: (source.pixel_offset or 0) + 40])
    with pytest.raises(SliceError, match="copy") as caught:
        read(source)
    assert caught.value.reason == ("truncated" if syntax == uid.ExplicitVRLittleEndian else "undecodable")


@pytest.mark.parametrize("syntax", [*BY_PYDICOM, *BY_GDCM], ids=lambda uid: uid.name)
def test_rubbish_instead_of_a_codestream_is_refused_by_name(syntax: uid.UID, tmp_path: Path) -> None:
    path = save(image(pattern(1, "u2", 0, 4095), 12), tmp_path / "scan", syntax)
    source = source_of(path)
    content = bytearray(path.read_bytes())
    start = (source.pixel_offset or 0) + 16 + (struct.calcsize("<I") if syntax == uid.RLELossless else 0)
    content[start : start + 60] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(SliceError, match="frame 1 is damaged") as caught:
        read(source)
    assert caught.value.reason == "undecodable"


def test_frame_beyond_the_last_is_refused(tmp_path: Path) -> None:
    path = save(image(pattern(2, "u2", 0, 9), 16), tmp_path / "scan", uid.ExplicitVRLittleEndian)
    with pytest.raises(SliceError, match="ends before frame 3"):
        read(source_of(path, 3))


@pytest.mark.parametrize(
    "syntax",
    ["1.2.840.10008.1.2.4.100", pytest.param(str(uid.JPEGExtended12Bit), id="12-bit lossy JPEG"), None],
)
def test_transfer_syntax_without_decoder_is_named(syntax: str | None, tmp_path: Path) -> None:
    path = save(image(pattern(1, "u2", 0, 9), 12), tmp_path / "scan", uid.RLELossless)
    with pytest.raises(SliceError, match=rf"no decoder for transfer syntax {syntax or ''}$") as caught:
        read(source_of(path, TransferSyntaxUID=syntax))
    assert caught.value.reason == "unsupported_transfer_syntax"


def test_file_without_pixels_is_refused(tmp_path: Path) -> None:
    path = save(image(pattern(1, "u2", 0, 9), 16), tmp_path / "scan", uid.ExplicitVRLittleEndian)
    source = source_of(path, pixel_offset=None, pixel_length=None)
    dataset = dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)
    with pytest.raises(SliceError, match="holds no Pixel Data"):
        read(source)


def test_deflate_bomb_is_not_inflated(tmp_path: Path) -> None:
    path = save(image(pattern(1, "u2", 0, 9), 16), tmp_path / "scan", uid.DeflatedExplicitVRLittleEndian)
    source = source_of(path)
    start = 144 + struct.unpack("<I", path.read_bytes()[140:144])[0]
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(80)) + deflater.flush()
    path.write_bytes(path.read_bytes()[:start] + bomb)
    with pytest.raises(SliceError, match="inflates to more") as caught:
        read(source)
    assert caught.value.reason == "too_large"


def test_frames_of_one_file_are_read_with_one_opening(tmp_path: Path) -> None:
    path = save(image(pattern(3, "u2", 0, 9), 16), tmp_path / "scan", uid.RLELossless)
    opened: list[str] = []
    closed: list[bool] = []

    class Bytes:
        def __init__(self, name: str) -> None:
            opened.append(name)
            self._file = BytesIO(Path(name).read_bytes())
            self.size = len(self._file.getvalue())

        def pread(self, offset: int, length: int) -> bytes:
            return self._file.getvalue()[offset : offset + length]

        def close(self) -> None:
            closed.append(True)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exception: object) -> None:
            self.close()

    with PixelReader(Bytes) as reader:
        for frame in (1, 2, 3):
            reader.read(source_of(path, frame))
    assert opened == [str(path)]
    assert closed == [True]


def test_missing_file_is_the_callers_to_name(tmp_path: Path) -> None:
    path = save(image(pattern(1, "u2", 0, 9), 16), tmp_path / "scan", uid.ExplicitVRLittleEndian)
    source = source_of(path)
    path.unlink()
    with pytest.raises((OSError, SourceError)):
        read(source)
