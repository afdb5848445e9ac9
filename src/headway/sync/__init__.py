"""headway without async: for scripts, threads and the Python prompt.

::

    import headway.sync

    with headway.sync.Scheduler(model="claude-sonnet-5-5", max_tokens=1024) as scheduler:
        print(scheduler.run("Hello").content)
        jobs = [scheduler.submit(question) for question in questions]
        answers = [job.result(timeout=60) for job in jobs]

The scheduler runs in a thread of its own; every method may be called from any thread, at the same time.
"""

from __future__ import annotations

from headway.sync.job import Job
from headway.sync.outcomes import Outcomes
from headway.sync.scheduler import Scheduler
from headway.sync.stream import MessageStream, StreamManager

__all__ = ["Job", "MessageStream", "Outcomes", "Scheduler", "StreamManager"]
