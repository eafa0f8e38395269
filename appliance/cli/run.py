"""``meshctl run``: bring a profile to life in the foreground until a signal says stop.

Messages go to stderr, the access log to where the profile says. The first SIGINT or SIGTERM drains,
the second ends at once. SIGHUP loads the profile again, unless it is that of a lost terminal.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator

import trio

from appliance import __version__
from appliance.config.load import load_profile
from appliance.config.plan import Plan
from appliance.control.desk import Desk
from appliance.control.entrances import Entrance, Reception, close_entrances, open_entrances
from appliance.control.reload import Reloader
from appliance.model.text import counted
from appliance.net.clock import MonotonicClock
from appliance.net.listen import BindError, bind, bound_address, unbind
from appliance.proxy.access_log import open_log
from appliance.proxy.worker import Bound, Means, Worker

from .exits import Exit
from .machine import ThisMachine
from .service import has_terminal, keep_alive, notify, notify_reloading

_log = logging.getLogger("meshctl")
_DEFAULT_CONNECTIONS = 10_000
_DEBUG_FOR = 600.0  # seconds


def run(profile: str, *, check_only: bool = False) -> int:
    """Run ``profile``; returns the exit code.

    With ``check_only``, and where there are certificates, the machine is looked at as well, as `validate`
    does; else binding and opening soon tell what it lacks.
    """
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s", level=logging.INFO)
    loaded = load_profile(profile, machine=ThisMachine() if check_only else None)
    if not check_only and loaded.plan is not None and _uses_certificates(loaded.plan):
        loaded = load_profile(profile, machine=ThisMachine())
    plan, diagnostics = loaded.plan, loaded.diagnostics
    if diagnostics:
        print(diagnostics.render(colour=sys.stderr.isatty()), file=sys.stderr)
    if plan is None:
        return Exit.INVALID_PROFILE
    _say_unbuilt(plan)
    if check_only:
        print(f"ok {profile}: it can run", file=sys.stderr)
        return Exit.OK
    room = connection_limit(plan)
    bound: list[Bound] = []
    entrances: list[Entrance] = []
    try:
        for listener in plan.listeners:
            bound.append(Bound(listener, bind(listener.bind, os.environ)))
        entrances = open_entrances(plan, os.environ)
        log = open_log(plan.access_log, time.time(), time.monotonic())
    except (BindError, OSError) as error:
        reason = error if isinstance(error, BindError) else _no_log(plan, error)
        print(f"meshctl: {reason}", file=sys.stderr)
        for each in bound:
            unbind(each.sock, each.plan.bind)
        close_entrances(entrances)
        return Exit.CANNOT_START
    worker = Worker(plan, bound, log, room)
    _say_drills(plan)
    try:
        _quieten_collector()
        reloader = Reloader(worker, loaded, profile, ThisMachine, _means)
        desk = Desk(worker, reloader, time.monotonic, time.time)
        start_line = _start_line(plan, bound, entrances)
        trio.run(_serve, worker, reloader, Reception(desk, entrances), start_line, clock=MonotonicClock())
    finally:
        close_entrances(entrances)
        if log is not None:
            log.close()
    if worker.cut_off:
        print(f"stopped with {counted(worker.cut_off, 'request')} cut off", file=sys.stderr)
        return Exit.CONFLICT
    print(f"stopped after {counted(worker.ending.total, 'request')}, none cut off", file=sys.stderr)
    return Exit.OK


def _uses_certificates(plan: Plan) -> bool:
    return any(row.tls is not None for row in plan.listeners) or any(row.tls for row in plan.upstreams)


def _say_drills(plan: Plan) -> None:
    """Warn of every route that injects faults: a drill that is forgotten looks like an outage."""
    for route in plan.routes:
        if route.inject is not None:
            print(f"warning: {route.where}: route {route.name} injects faults (a drill)", file=sys.stderr)


def _no_log(plan: Plan, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"cannot open the access log {plan.access_log.to}: {reason}; make its directory or name another"


def _say_unbuilt(plan: Plan) -> None:
    """Warn once of settings that this version does not act on."""
    if plan.unbuilt:
        names = ", ".join(f"{key.path} (line {key.where.line})" for key in plan.unbuilt)
        print(f"warning: meshctl {__version__} does not act on: {names}", file=sys.stderr)


def connection_limit(plan: Plan) -> int:
    """Raise the limit of open files as far as allowed; give the cap on client connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass
    possible = soft // 2 if soft != resource.RLIM_INFINITY else _DEFAULT_CONNECTIONS
    wanted = plan.process.max_connections
    if wanted > possible:
        _log.warning(
            "process.max_connections %d needs %d open files, the limit is %d", wanted, 2 * wanted, soft
        )
    return wanted or min(_DEFAULT_CONNECTIONS, possible)


def _start_line(plan: Plan, bound: list[Bound], entrances: list[Entrance]) -> str:
    places = []
    for each in bound:
        scheme = each.plan.protocol
        where = bound_address(each.sock)
        places.append(f"{each.plan.name} {where if where.startswith('unix:') else f'{scheme}://{where}'}")
    counts = f"{counted(len(plan.routes), 'route')}, {counted(len(plan.upstreams), 'upstream')}"
    line = f"meshctl {__version__} {plan.name} ({plan.file} {plan.digest}, {counts})"
    line += f" listening: {'  '.join(places)}"
    if entrances:
        line += f"  stats: {'  '.join(each.place for each in entrances)}  (watch it: meshctl top {plan.name})"
    return line


def _quieten_collector() -> None:
    """Let the collector of cycles look at what is there now no more, and at what is new less often.

    Hardly anything of a request is a cycle, and looking for some every few hundred objects is 5 % of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def _serve(worker: Worker, reloader: Reloader, reception: Reception, start_line: str) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1) as signals:
        print(start_line, file=sys.stderr, flush=True)  # from now on signals are obeyed
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, worker, reloader, reception.desk, nursery)
            nursery.start_soon(keep_alive)
            async with trio.open_nursery() as serving:
                await serving.start(_work, worker)
                nursery.start_soon(reception.run)
                notify("READY=1")
            await reception.desk.say_goodbye()
            nursery.cancel_scope.cancel()


async def _work(worker: Worker, *, task_status: trio.TaskStatus[None]) -> None:
    await worker.run(task_status=task_status)


async def _obey(
    signals: AsyncIterator[int], worker: Worker, reloader: Reloader, desk: Desk, nursery: trio.Nursery
) -> None:
    terminal = has_terminal()
    async for number in signals:
        if number == signal.SIGHUP:
            if terminal and not has_terminal():
                terminal = False
                _log.info("the terminal is gone; the proxy goes on")
            else:
                nursery.start_soon(_reload, reloader)
            continue
        if number == signal.SIGUSR1:
            desk.actions.debug_for(_DEBUG_FOR)
            _log.info("logging everything for %gs", _DEBUG_FOR)
            continue
        if not worker.draining:
            notify("STOPPING=1")
            limit = worker.plan.process.drain_timeout
            left = counted(worker.in_flight, "request")
            _log.info("draining %s, %gs left; again to stop at once", left, limit)
        worker.stop()


async def _reload(reloader: Reloader) -> None:
    """Load the profile again, and tell the service manager."""
    notify_reloading()
    await reloader.reload()
    notify("READY=1")


def _means(before: Plan, after: Plan) -> Means:
    """Give what another plan needs of the process; raises OSError when its log cannot be opened."""
    keep = before.access_log == after.access_log
    log = None if keep else open_log(after.access_log, time.time(), time.monotonic())
    return Means(connection_limit(after), log, keep)
