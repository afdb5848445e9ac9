"""Results from the journal to the output file: in the order they were committed, each exactly once.

The file is always a prefix of the journal's endings. So a file that a crash has torn is continued where its
last whole line stands in that order, and one that does not fit is written anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from anyio import to_thread

from headway.cli.output_file import OutputFile, cut, read_tail
from headway.core.job import JobState
from headway.ports import Journal

BLOCK_BYTES: Final = 1 << 20


class RankedJournal(Journal, Protocol):
    """A journal that knows the order of its endings."""

    async def rank_of(self, key: str) -> tuple[int, int] | None:
        """Sequence number of a job's ending, and how many endings have one that is not higher."""
        ...


async def reconcile(journal: RankedJournal, path: Path, *, drop_failed: bool = False) -> int:
    """Bring a results file in line with the journal; gives the sequence number that it ends at.

    With ``drop_failed`` jobs that failed are left out: they are about to be tried again.
    """
    tail = read_tail(path)
    rank = None if tail.last_id is None else await journal.rank_of(tail.last_id)
    if drop_failed or tail.lines == 0 or rank is None or rank[1] != tail.lines:
        return await rebuild(journal, path, drop_failed=drop_failed)
    if tail.size > tail.whole:
        cut(path, tail.whole)
    output = OutputFile(path)
    try:
        return await append_endings(journal, output, after=rank[0])
    finally:
        output.close()


async def rebuild(journal: RankedJournal, path: Path, *, drop_failed: bool) -> int:
    """Write a results file anew; it appears under its name only when it is whole."""
    fresh = path.with_name(f"{path.name}.rebuilding")
    fresh.unlink(missing_ok=True)
    output = OutputFile(fresh)
    try:
        last = await append_endings(journal, output, after=0, drop_failed=drop_failed)
        output.close()
        os.replace(fresh, path)  # noqa: PTH105 - one rename, atomic
    finally:
        output.close()
        fresh.unlink(missing_ok=True)
    return last


async def append_endings(
    journal: Journal, output: OutputFile, *, after: int, drop_failed: bool = False
) -> int:
    """Write what ended after a sequence number; gives the last one seen."""
    lines: list[str] = []
    size, last = 0, after
    async for sequence, ending in journal.endings(after=after):
        last = sequence
        if drop_failed and ending.state is not JobState.SUCCEEDED:
            continue
        lines.append(ending.line())
        size += len(lines[-1])
        if size > BLOCK_BYTES:
            await to_thread.run_sync(output.write, lines)
            lines, size = [], 0
    await to_thread.run_sync(output.write, lines)
    return last
