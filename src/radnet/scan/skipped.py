"""Why a file is not an instance: a closed list of codes, each with its step of the funnel.

A code and the class of an error are all that is kept; no value of a header ever leaves through them.
"""

from __future__ import annotations

from typing import Final

from radnet.sources.entries import REFUSALS

EMPTY_FILE: Final = "empty_file"
NOT_DICOM: Final = "not_dicom"
DAMAGED: Final = "damaged"
TRUNCATED: Final = "truncated"
HEADER_TOO_LARGE: Final = "header_too_large"
TOO_MANY_FRAMES: Final = "too_many_frames"
UNREADABLE_FILE: Final = "unreadable_file"
WORKER_CRASHED: Final = "worker_crashed"
DICOMDIR: Final = "dicomdir"
UNSUPPORTED_OBJECT: Final = "unsupported_object"
DUPLICATE_INSTANCE: Final = "duplicate_instance"

UNREADABLE_STEP: Final = "unreadable"

STEPS: Final[dict[str, str]] = {
    **dict.fromkeys(REFUSALS, UNREADABLE_STEP),
    EMPTY_FILE: UNREADABLE_STEP,
    NOT_DICOM: UNREADABLE_STEP,
    DAMAGED: UNREADABLE_STEP,  # neither the walk nor pydicom makes sense of it
    TRUNCATED: UNREADABLE_STEP,  # ends inside the header, or before the pixels do
    HEADER_TOO_LARGE: UNREADABLE_STEP,  # would take too much memory
    TOO_MANY_FRAMES: UNREADABLE_STEP,
    UNREADABLE_FILE: UNREADABLE_STEP,
    WORKER_CRASHED: UNREADABLE_STEP,
    DICOMDIR: UNSUPPORTED_OBJECT,
    UNSUPPORTED_OBJECT: UNSUPPORTED_OBJECT,  # any storage class but CT and MR images
    DUPLICATE_INSTANCE: DUPLICATE_INSTANCE,  # the error says whether the bytes differ
}
"""Every reason and the step of `terms.EXCLUSION_STEPS` that counts it."""


class Skipped(Exception):  # noqa: N818 - an outcome of reading, as often as not no error
    """A file that gives no instance.

    Attributes:
        reason: One of STEPS.
        error_class: Name of the error behind it, or None where nothing failed.
    """

    def __init__(self, reason: str, error_class: str | None = None) -> None:
        super().__init__(reason, error_class)
        self.reason = reason
        self.error_class = error_class
