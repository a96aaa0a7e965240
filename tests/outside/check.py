#!/usr/bin/env python3
"""Checks an exported log with aics-tlog (PyPI), and nothing of ours: signature, every tile and entry, the root, inclusion
proofs, consistency with an older checkpoint, and the cosignature of a witness where one is given.

    check.py <vkey> <folder of the export> <older checkpoint> [<witness vkey>]
"""
import sys
from pathlib import Path

import aics_tlog as tlog


def opened(path, key, witnesses=()):
    """The checkpoint of a file, whose signatures are right."""
    note = tlog.parse_note(path.read_text())
    result = tlog.verify_checkpoint(
        note, key, list(witnesses), len(witnesses), expected_origin=key.name, max_age_seconds=3600 if witnesses else None
    )
    if not result.ok:
        raise ValueError(f"{path.name}: {result.error}")
    return tlog.parse_checkpoint(note.text)


def main(vkey, folder, older, *witnesses):
    key = tlog.parse_vkey(vkey)
    folder = Path(folder)
    head = opened(folder / "checkpoint", key, [tlog.parse_vkey(text) for text in witnesses])
    reader = tlog.FileSystemTileReader(folder)
    tlog.audit_tiles(reader, head.size, head.root)
    if tlog.tree_root_from_tiles(reader, head.size) != head.root:
        raise ValueError("root: the tiles have another")
    for index in range(0, head.size, 1 + head.size // 97):
        proof = tlog.inclusion_proof_from_tiles(reader, index, head.size)
        leaf = tlog.read_entry(reader, index, head.size)
        if not tlog.verify_leaf_inclusion(leaf, index, head.size, proof, head.root):
            raise ValueError(f"inclusion of {index}: not proven")
    old = opened(Path(older), key)
    proof = tlog.consistency_proof_from_tiles(reader, old.size, head.size)
    if not tlog.verify_consistency(old.size, head.size, old.root, head.root, proof):
        raise ValueError("consistency: not proven")
    print(f"{head.size} leaves, consistent with {old.size}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # whatever it is, the log is not accepted
        sys.exit(f"{type(error).__name__}: {error}")
