"""Every disk format: what a stage leaves behind for the next one, as Zarr v3 groups.

    NAME.zarr           exists if and only if it is complete; never written again
    NAME.zarr.part      the same, being written; a killed run leaves it for the next
    .NAME.zarr.lock     held by the run that writes; shards have locks of their own: `claims`

A store is a group with a manifest in its attributes; its members are sub-groups (a case, a
network's weights), each moved into place in one rename, with the digest of every file of its own.
The manifest holds the digest of each member, so that a store can be checked from its first byte to
its last.
"""
