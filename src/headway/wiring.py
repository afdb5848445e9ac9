"""From what a caller passes to running parts, and whether they are used where they live."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, cast, runtime_checkable

import anyio.abc
from anyio.lowlevel import current_token

from headway.adapters.ceiling import Ceiling, CeilingBudgets
from headway.adapters.memory import MemoryBudgets
from headway.core.account_limits import AccountLimits, ToldLimits
from headway.core.batching import AS_USUAL, Batching
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.file_policy import FilePolicy
from headway.core.follow_up import FollowUp
from headway.core.limits import Limits
from headway.core.price import Price
from headway.core.retry import RetryPolicy
from headway.core.spend import SpendCap
from headway.errors import SchedulerClosedError
from headway.ports import AlertSink, BudgetStore, EventSink, Journal, Transport
from headway.preflight.policy import RepairPolicy
from headway.preflight.rule import UnrepairableError
from headway.preflight.tool import Tool
from headway.runtime.engine import Engine
from headway.runtime.flow import Flow
from headway.runtime.job_factory import JobFactory
from headway.runtime.purse import Purse, SpendBook

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from headway.adapters.alerts import AlertCourier, Alerts
    from headway.adapters.anthropic.connect import AnyClient


BUILTIN: Final = "builtin"
"""The catalogue of who wants the table that comes with headway, and the Models API never asked."""


@runtime_checkable
class Remembers(Protocol):
    """What a transport that knows its models has as ``models``."""

    async def remembered(self) -> Catalog:
        """What was listed within the last day."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a scheduler is made of before it is opened."""

    transport: Callable[[], Transport]
    """Makes it when the scheduler is opened; it opens nothing before the first request."""
    budgets: BudgetStore
    limits: ToldLimits | None
    """Told to the budgets when the scheduler is opened: a store of the caller's own has not heard of them."""
    retry: RetryPolicy
    repair: RepairPolicy
    follow_up: FollowUp | None
    tools: Sequence[Tool]
    files: FilePolicy
    flow: Flow
    journal: Journal | None
    sinks: Sequence[EventSink | AlertSink]
    courier: AlertCourier | None
    """Delivers alerts while the scheduler is open."""
    defaults: Mapping[str, object]
    """``model`` and ``max_tokens`` of requests without."""
    catalog: Catalog | None = None
    """What is known of the models; ``None``: see `catalog_for`."""
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    """Of the caller's own, by model."""
    spend_cap: SpendCap | None = None
    batching: Batching = AS_USUAL

    def __post_init__(self) -> None:
        kinds = (("retry", RetryPolicy), ("repair", RepairPolicy), ("flow", Flow), ("batching", Batching))
        for name, kind in kinds:
            if not isinstance(value := getattr(self, name), kind):
                raise TypeError(f"{name} must be {kind.__name__}(…), not {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Running:
    """What exists inside ``async with``, and in which process, thread and event loop."""

    engine: Engine
    factory: JobFactory
    group: anyio.abc.TaskGroup
    transport: Transport
    budgets: BudgetStore
    catalog: Catalog
    purse: Purse | None = None
    """``None``: spending has no cap."""
    process: int = field(default_factory=os.getpid)
    thread: int = field(default_factory=threading.get_ident)
    loop: object = field(default_factory=current_token)

    def require_here(self) -> None:
        """Raises `SchedulerClosedError` in a forked process, another thread or another event loop."""
        if self.process != os.getpid():
            raise SchedulerClosedError("the scheduler was opened before the fork; open one after the fork")
        if self.thread != threading.get_ident() or self.loop != current_token():
            raise SchedulerClosedError(
                "the scheduler belongs to another thread or event loop; call it from its own"
            )


def catalog_given(catalog: Catalog | Literal["builtin"] | None) -> Catalog | None:
    """The caller's catalogue. Raises `ValueError` for another word than ``"builtin"``."""
    if isinstance(catalog, str):
        if catalog != BUILTIN:
            raise ValueError(f"catalog must be a Catalog or {BUILTIN!r}, not {catalog!r}")
        return BUILT_IN
    return catalog


async def catalog_for(given: Catalog | None, transport: Transport) -> Catalog:
    """The given one; else the table, corrected by what the Models API said within the last day."""
    models: object = getattr(transport, "models", None)
    if given is not None or not isinstance(models, Remembers):
        return given or BUILT_IN
    return await models.remembered()


def transport_for(client: AnyClient | None, catalog: Catalog | Literal["builtin"] | None = None) -> Transport:
    """Through the given client, or one made from the environment and closed with the scheduler."""
    from headway.adapters.anthropic import AnthropicTransport, make_client

    # The others have the same ``messages``, ``beta`` and ``with_options``, which is all that is used of a client.
    given = cast("AsyncAnthropic | None", client)
    return AnthropicTransport(
        given or make_client(),
        catalog_given(catalog) or BUILT_IN,
        owned=client is None,
        ask=catalog != BUILTIN,
    )


def limits_for(limits: object) -> ToldLimits | None:
    """What was told, if anything. Raises `TypeError` for what tells no limits."""
    if limits is None or isinstance(limits, Limits | AccountLimits):
        return limits
    hint = ""
    if inspect.iscoroutine(limits):
        limits.close()
        hint = ": account_limits() must be awaited"
    raise TypeError(f"limits must be Limits(…) or AccountLimits, not {type(limits).__name__}{hint}")


def budgets_for(budgets: BudgetStore | None, ceiling: Ceiling | None) -> BudgetStore:
    """The given store, or one in memory; under the user's own ceiling if there is one."""
    store: BudgetStore = budgets or MemoryBudgets(Limits())
    return store if ceiling is None else CeilingBudgets(ceiling, store)


class Toolbox:
    """The tools of one scheduler: those it was given, and the built-in ones, made when first needed."""

    def __init__(self, given: Sequence[Tool], transport: Transport, files: FilePolicy) -> None:
        self._tools = {tool.name: tool for tool in given}
        self._transport = transport
        self._files = files

    def get(self, name: str) -> Tool:
        """A tool by its name. Raises `UnrepairableError` when it cannot be had here, and says what is missing."""
        if name not in self._tools:
            self._tools[name] = self._make(name)
        return self._tools[name]

    def _make(self, name: str) -> Tool:
        if name == "images":
            from headway.adapters.images import ImagesTool

            return ImagesTool()
        client = getattr(self._transport, "client", None)
        if name == "files" and client is not None:
            from headway.adapters.anthropic.files import FilesTool

            return FilesTool(client, self._files)
        raise UnrepairableError(f"there is no tool {name!r}; pass one with Scheduler(tools=…)")


def journal_for(journal: str | os.PathLike[str] | Journal | None) -> Journal | None:
    """A path means an SQLite journal there."""
    if journal is None or hasattr(journal, "admit"):
        return cast("Journal | None", journal)
    if not isinstance(journal, str | os.PathLike):
        raise TypeError(f"journal must be a path or a Journal, not {type(journal).__name__}")
    from headway.adapters.sqlite import SQLiteJournal

    return SQLiteJournal(Path(journal))


def prices_for(prices: Mapping[str, Price] | None) -> Mapping[str, Price]:
    """The caller's own prices. Raises `TypeError` for what is none."""
    for model, price in (prices or {}).items():
        if not isinstance(price, Price):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"prices[{model!r}] must be Price(input=…, output=…, cache_read=…), not {price!r}"
            )
    return prices or {}


def cap_for(cap: SpendCap | None, journal: Journal | None) -> SpendCap | None:
    """The cap. Raises `TypeError` for what is none, and for a journal that cannot keep what was spent."""
    if cap is None:
        return None
    if not isinstance(cap, SpendCap):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"spend_cap must be SpendCap(usd=…), not {cap!r}")
    if journal is not None and not (hasattr(journal, "get_meta") and hasattr(journal, "set_meta")):
        raise TypeError(
            f"a spend cap needs a journal with get_meta() and set_meta(), not {type(journal).__name__}"
        )
    return cap


def purse_for(parts: Parts, catalog: Catalog) -> Purse | None:
    """The money of a scheduler that has a cap, in its journal if there is one."""
    if parts.spend_cap is None:
        return None
    return Purse(parts.spend_cap, catalog, cast("SpendBook | None", parts.journal))


def courier_for(alerts: Alerts | None) -> AlertCourier | None:
    """What delivers alerts, where there is somewhere to deliver them."""
    if alerts is None:
        return None
    from headway.adapters.alerts import AlertCourier

    return AlertCourier(alerts)
