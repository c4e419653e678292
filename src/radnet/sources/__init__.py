"""Where DICOM lies: folders, zip and tar archives.

`list_entries` names what there is, `open_blob` opens one of the names again, in any process and any order.
"""

from radnet.sources.blob import Blob
from radnet.sources.entries import Entry, Refused
from radnet.sources.listing import expand, list_entries
from radnet.sources.opening import open_blob
from radnet.sources.walk import walk

__all__ = ["Blob", "Entry", "Refused", "expand", "list_entries", "open_blob", "walk"]
