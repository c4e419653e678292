"""Errors that a user can act on.

Each is one sentence: what is wrong, where, what was expected, and the way out. The command line prints
it and ends with exit code 2; any other exception is a bug and ends with code 1 and its traceback.
No message holds patient text.
"""

from __future__ import annotations


class RadnetError(Exception):
    """Base of all errors whose message is meant for the user."""


class ConfigError(RadnetError):
    """A configuration file that cannot be used; the message lists all its faults."""


class SourceError(RadnetError):
    """A source of DICOM files that cannot be read at all."""


class WorkspaceError(RadnetError):
    """An artefact that is missing, locked or not what its name says."""


class RuleError(RadnetError):
    """A rule table or decisions file that cannot be used; the message names file, rule and key."""


class TableError(RadnetError):
    """A table given by the user that lacks columns or cannot be parsed."""


class GeometryError(RadnetError):
    """Positions or orientations that do not describe a volume."""


class PixelError(RadnetError):
    """Pixel data that cannot be decoded."""


class MaskError(RadnetError):
    """A mask or label map in a file that cannot be read or placed in the body."""


class BodyError(RadnetError):
    """A synthetic body or a label map that cannot be made or used."""


class ExecutorError(RadnetError):
    """An executor that is unknown or cannot be reached."""


class NetworkError(RadnetError):
    """A network, model folder or weight file that cannot be used."""


class MissingExtraError(RadnetError):
    """A package that an extra of RADNet installs and that is not there."""


class TrainingError(RadnetError):
    """A training that cannot begin or go on: its data, its settings, its checkpoint or its disk."""


class CaseError(RadnetError):
    """A scan with a mask, a split of such cases or a scan to be outlined that cannot be used."""


class StudyError(RadnetError):
    """A study whose grid, data or folder cannot be used."""
