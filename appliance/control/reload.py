"""Loading the profile again while the proxy runs: read, compare, go over, or say why not.

Reading happens in a thread, for a large profile takes a second. One reload runs at a time; those that
are asked for meanwhile wait for their turn, and read the file when it has come.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import trio

from appliance.config.diff import Change, diff
from appliance.config.diff_text import closing, told
from appliance.config.load import Loaded, load_profile
from appliance.config.machine import Machine
from appliance.config.plan import Plan
from appliance.model.text import PRINTABLE, counted
from appliance.proxy.worker import Means, ReloadError, Worker

_log = logging.getLogger("meshctl")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a reload. ``text`` is a sentence; ``problems`` are diagnostics as `validate` prints them.

    ``changes`` are those that were found; ``generation`` counts the profiles that have run since the start.
    ``digest`` is that of the file as it was read, empty if it has errors. ``other``: the file is not the one
    that was expected.
    """

    ok: bool
    text: str
    generation: int
    changes: tuple[Change, ...] = ()
    problems: str = ""
    digest: str = ""
    other: bool = False


class Reloader:
    """Loads the profile of a worker again. ``means`` gives what another plan needs, and may raise OSError."""

    def __init__(
        self,
        worker: Worker,
        loaded: Loaded,
        path: str,
        machine: Callable[[], Machine],
        means: Callable[[Plan, Plan], Means],
    ) -> None:
        """``loaded`` is what runs, ``path`` where it came from; ``machine`` is what certificates are held
        against, asked anew for each reload."""
        self._worker = worker
        self._running = self._started = loaded
        self._path = path
        self._machine = machine
        self._means = means
        self._turn = trio.Lock()

    async def reload(self, *, dry_run: bool = False, expect: str = "") -> Outcome:
        """Load the file and go over to it; with ``dry_run`` only say what that would change.

        ``expect`` is the digest of the file that somebody has seen: another one is not loaded.

        Not to be cancelled once it goes over: call it shielded, unless it is a dry run.
        """
        async with self._turn:
            outcome = await self._reload(dry_run, expect)
        if not dry_run and not outcome.other:
            if outcome.problems:
                print(outcome.problems, end="", file=sys.stderr, flush=True)
            _log.log(logging.INFO if outcome.ok else logging.ERROR, "%s", outcome.text)
            self._worker.bulletin.add(
                "reload",
                "info" if outcome.ok else "error",
                "profile",
                outcome.text.translate(PRINTABLE),
                gen=outcome.generation,
                changes=[change.path for change in outcome.changes][:100],
                problems=outcome.problems[:4000],
            )
        return outcome

    async def _reload(self, dry_run: bool, expect: str) -> Outcome:
        loaded = await trio.to_thread.run_sync(self._load)
        plan, running = loaded.plan, self._running
        problems = loaded.diagnostics.render() if loaded.diagnostics else ""
        if plan is None:
            count = loaded.diagnostics.errors
            if dry_run:
                text = f"{self._path} has {counted(count, 'error')}: a reload would change nothing"
                return Outcome(False, text, self._worker.current().generation, (), problems)
            return self._refused(f"{self._path} has {counted(count, 'error')}", problems)
        changes = diff(running, loaded)
        generation = self._worker.current().generation
        if expect and expect != plan.digest:
            text = f"not reloaded: {self._path} has changed since it was shown; look again"
            return Outcome(False, text, generation, changes, problems, plan.digest, other=True)
        if not changes:
            text = f"{self._path} says what runs already{self._waiting(loaded)}"
            return Outcome(True, text, generation, (), problems, plan.digest)
        if dry_run:
            text = f"would reload: {closing(changes)}"
            return Outcome(True, text, generation, changes, problems, plan.digest)
        before = self._worker.plan
        names = await self._worker.look_up(plan)
        try:
            means = self._means(before, plan)
            old_log = self._worker.ending.log
            self._worker.reload(plan, means, names, os.environ)
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            return self._refused(
                f"the access log{where} cannot be opened: {error.strerror or error}", problems
            )
        except ReloadError as error:
            return self._refused(str(error), problems)
        self._running = loaded
        if not means.keep_log and old_log is not None:
            await trio.to_thread.run_sync(old_log.close)
        text = f"reloaded {self._path} ({before.digest} to {plan.digest}): {told(changes)}"
        return Outcome(True, text, self._worker.current().generation, changes, problems, plan.digest)

    def _waiting(self, loaded: Loaded) -> str:
        """Say what differs from what the process was started with, and needs a restart to count."""
        rows = [change.path for change in diff(self._started, loaded) if change.effect.when == "restart"]
        return f", but for what waits for a restart: {', '.join(rows[:5])}" if rows else ""

    def _load(self) -> Loaded:
        return load_profile(self._path, machine=self._machine())

    def _refused(self, why: str, problems: str) -> Outcome:
        text = f"not reloaded: {why}; the profile of before stays"
        return Outcome(False, text, self._worker.current().generation, (), problems)
