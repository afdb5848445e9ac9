"""What the runtime needs from outside, as Protocols. Adapters implement them; tests bring their own."""

from headway.core.budget_key import BudgetKey
from headway.ports.answer import Rejection, Reply
from headway.ports.batches import BatchTransport
from headway.ports.budget import BudgetStore, Grant
from headway.ports.journal import Journal, Stored, Unfinished
from headway.ports.ledger import BatchEntry, BatchLedger, BatchPlace, RequestStore, Stray
from headway.ports.sinks import AlertSink, EventSink
from headway.ports.stream import StreamAttempt, StreamSource
from headway.ports.transport import StreamingTransport, Transport
from headway.ports.visit import Visit

__all__ = [
    "AlertSink",
    "BatchEntry",
    "BatchLedger",
    "BatchPlace",
    "BatchTransport",
    "BudgetKey",
    "BudgetStore",
    "EventSink",
    "Grant",
    "Journal",
    "Rejection",
    "Reply",
    "RequestStore",
    "Stored",
    "Stray",
    "StreamAttempt",
    "StreamSource",
    "StreamingTransport",
    "Transport",
    "Unfinished",
    "Visit",
]
