"""The entries of the suite, one file each."""

from benchmarks.entries import inference, preprocess, sam, startup, training
from benchmarks.suite import Entry

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (startup.ENTRY, preprocess.ENTRY, inference.ENTRY, sam.ENTRY, training.ENTRY)
}
