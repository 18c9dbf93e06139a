"""``WS /v1/metrics/stream``: energy of one's scope, live as readings arrive.

The first message is a snapshot, each later one what changed since. Whoever reads slowly gets fewer messages, never older ones: what
changes while a message is under way is told together in the next.

Notes: messages are JSON. ``customers`` holds one entry per contract; at most :data:`FOLLOWED` contracts are followed, in order of their
numbers, and ``of`` says how many there are: name others with ``customer=CODE`` in the address.
"""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any, Final

from anyio import CapacityLimiter, to_thread
from starlette.websockets import WebSocketDisconnect

from eisenergy.accounts import Client
from eisenergy.desk import live
from eisenergy.desk.live import Live
from eisenergy.desk.workspace import Workspace
from eisenergy.portal.arrivals import Arrivals, Watch, arrivals_of
from eisenergy.portal.guard import ONESELF_OR_VIEW
from eisenergy.portal.routes import Routes
from eisenergy.portal.streams import Admitted, Closed
from eisenergy.store import masters, roster
from eisenergy.store.lake import Lake
from eisenergy.store.roster import Listed

routes: Final = Routes()
FOLLOWED: Final = 500
"""Contracts of one stream."""
LOOK: Final = 5.0
"""Seconds between two looks at whether session and right still stand."""
SLOW: Final = 20.0
"""Seconds a message may take to leave; then whoever reads is gone or too slow."""
PAUSE: Final = 0.2
"""Seconds between two messages."""
LONGEST: Final = 256
"""Characters of a message that comes in; nothing that comes in is read."""
MOST: Final = 20
"""Messages that may come in."""
POLICY, TOO_BIG, LATER = 1008, 1009, 1013
_reading: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, CapacityLimiter]] = weakref.WeakKeyDictionary()


@dataclass(slots=True, kw_only=True)
class _Followed:
    """What a stream shows.

    :param contracts: those that are followed
    :param of: how many there are
    :param shown: contract -> energies as they were sent
    """

    admitted: Admitted
    workspace: Workspace
    arrivals: Arrivals
    watch: Watch
    client: Client
    contracts: tuple[Listed, ...]
    of: int
    day: date
    shown: dict[str, Live]
    begun: bool = False

    def load(self) -> None:
        """Read the contracts of the scope."""
        scope = self.admitted.scope
        self.client = masters.client(self.workspace.database, scope)
        everything = roster.roster(self.workspace.database, scope)
        self.contracts, self.of = everything[:FOLLOWED], len(everything)

    def energies(self, contracts: Sequence[Listed]) -> tuple[Live, ...]:
        """Energies of contracts, those that another stream has asked for as they are."""
        code = self.client.code
        states = {
            one.number: self.arrivals.state(code, one.meter, (self.day, one.customer, one.tariff, one.start, one.end))
            for one in contracts
        }
        found = {
            number: kept
            for number, state in states.items()
            if (kept := self.arrivals.kept(code, number, state)) is not None
        }
        missing = [one for one in contracts if one.number not in found]
        for made in live.energies(self.workspace, self.admitted.scope, self.client, missing, self.day):
            self.arrivals.keep(code, made, states[made.contract])
            found[made.contract] = made
        return tuple(found[one.number] for one in contracts)

    def message(self) -> dict[str, Any] | None:
        """The next message, ``None`` when there is nothing to say. :raises Closed: when it may not be said any more"""
        first, self.begun = not self.begun, True
        self.admitted.still()
        meters, everything = self.arrivals.taken(self.watch)
        at = self.admitted.context.now()
        if first or everything:
            self.load()
        day = live.local_day(self.client, at)
        new_day = day != self.day
        whole = first or everything or new_day
        self.day = day
        contracts = self.contracts if whole else [one for one in self.contracts if one.meter in meters]
        fresh = self.energies(contracts)
        if whole:
            changed = first or new_day or {one.contract: one for one in fresh} != self.shown
            self.shown = {one.contract: one for one in fresh}
        else:
            fresh = tuple(one for one in fresh if one != self.shown.get(one.contract))
            changed = bool(fresh)
            self.shown |= {one.contract: one for one in fresh}
        if not changed:
            return None
        return {
            "type": "snapshot" if whole else "update",
            "client": self.client.code,
            "at": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "day": str(day),
            "month": f"{day:%Y-%m}",
            "customers": [one.to_json() for one in fresh],
            "total": live.summed(self.shown.values()),
            "followed": len(self.contracts),
            "of": self.of,
        }


@routes.stream("/v1/metrics/stream", ONESELF_OR_VIEW)
async def metrics(admitted: Admitted) -> None:
    """Send energies until the other side leaves, or may not see them any more."""
    socket, changed = admitted.socket, asyncio.Event()
    loop = asyncio.get_running_loop()
    context = admitted.context
    watch = Watch(client=admitted.scope.client, wake=lambda: _wake(loop, changed))
    arrivals = arrivals_of(context.database)
    lake = Lake.open(context.settings, context.database)
    followed = _Followed(
        admitted=admitted,
        workspace=Workspace(settings=context.settings, database=context.database, lake=lake),
        arrivals=arrivals,
        watch=watch,
        client=await to_thread.run_sync(masters.client, context.database, admitted.scope),
        contracts=(),
        of=0,
        day=date.min,
        shown={},
    )
    await socket.accept()
    incoming = asyncio.create_task(_incoming(admitted))
    try:
        await to_thread.run_sync(arrivals.add, watch)
        if admitted.actor.acting_as is not None:
            await to_thread.run_sync(admitted.note, "VIEWED", f"WS {socket.url.path}")
        outgoing = asyncio.create_task(_outgoing(followed, changed))
        done, _ = await asyncio.wait({incoming, outgoing}, return_when=asyncio.FIRST_COMPLETED)
        outgoing.cancel()
        await asyncio.gather(outgoing, return_exceptions=True)
        for task in done:
            task.result()
    except Closed as why:
        with suppress(RuntimeError, TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(SLOW):
                await socket.close(why.code)
    except WebSocketDisconnect:
        pass
    finally:
        incoming.cancel()
        await asyncio.gather(incoming, return_exceptions=True)
        arrivals.remove(watch)


async def _outgoing(followed: _Followed, changed: asyncio.Event) -> None:
    # No `asyncio.wait_for` here: before Python 3.12 it forgets a cancellation that comes together with what it waits for.
    while True:
        message = await to_thread.run_sync(followed.message, limiter=_limiter())
        if message is not None:
            text = json.dumps(message, ensure_ascii=False)
            try:
                async with asyncio.timeout(SLOW):
                    await followed.admitted.socket.send_text(text)
            except TimeoutError:
                raise Closed(LATER) from None
        await asyncio.sleep(PAUSE)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await changed.wait()
        changed.clear()


async def _incoming(admitted: Admitted) -> None:
    """Nothing is asked for here; what comes all the same is counted."""
    for _ in range(MOST):
        message = await admitted.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        if len(message.get("text") or message.get("bytes") or "") > LONGEST:
            raise Closed(TOO_BIG)
    raise Closed(POLICY)


def _wake(loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody is there
        loop.call_soon_threadsafe(changed.set)


def _limiter() -> CapacityLimiter:
    """Streams that look at once: reading must leave threads to the pages."""
    return _reading.setdefault(asyncio.get_running_loop(), CapacityLimiter(4))
