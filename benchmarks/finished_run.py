"""The journal and results that a finished run leaves, written in bulk: a million rows in minutes."""

from __future__ import annotations

import json
import os
from pathlib import Path


def finished_journal(path: Path) -> None:
    """The journal and results of a run that has finished every line, written in bulk and without a bookmark."""
    from headway.adapters.sqlite import intake
    from headway.adapters.sqlite.database import Database
    from headway.cli.input_source import DEFAULT_MAX_TOKENS, DEFAULT_MODEL, InputOptions, open_input
    from headway.cli.run_settings import META, RunSettings
    from headway.core.events import Started, Succeeded
    from headway.core.job import JobRecord, advance
    from headway.core.outcome import ending_of
    from headway.core.usage import Usage
    from headway.testing.transport import reply

    body = reply("It arrives at 11:15.").body
    source, form = open_input(InputOptions(input=path), print)
    source.check_head()
    head = source.fingerprint()
    base_url = (os.environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com").rstrip("/")
    settings = RunSettings(DEFAULT_MODEL, DEFAULT_MAX_TOKENS, None, None, form.value, base_url)
    output = path.with_name(f"{path.stem}.results.jsonl")
    database = Database(output.with_name(f"{output.name}.journal"))
    kept = {name: getattr(settings, name) for name in RunSettings.__dataclass_fields__}
    kept |= {"head_size": head.size, "head_sha256": head.sha256}
    database.begin()
    from headway.adapters.sqlite import meta

    meta.put(database.connection, META, json.dumps(kept))
    with output.open("w") as results:
        for number, record in enumerate(source.records(), 1):
            request = record.item
            job = JobRecord(number, record.key, request)  # type: ignore[arg-type]
            intake.admit(database.connection, [job], reopen_failed=False)
            event = Succeeded(2.0, body, Usage(120, 10), "end_turn", "req", 0.001)
            ended = advance(advance(job, Started(1.0)), event)
            ending = ending_of(ended, event)
            assert ending is not None
            intake.write(database.connection, ended, event, ending)
            results.write(ending.line() + "\n")
            if number % 50_000 == 0:
                database.commit()
                database.begin()
    database.commit()
    database.close()
    source.close()
