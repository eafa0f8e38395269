"""Loading a profile again: what is said, and what stays when it cannot be gone over to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from appliance.cli.machine import ThisMachine
from appliance.config.load import load_profile
from appliance.config.plan import Plan
from appliance.control.reload import Reloader
from appliance.proxy.access_log import open_log
from appliance.proxy.worker import Means, Worker

PROFILE = """\
meshctl: 1
name: edge
listeners: {web: {bind: "127.0.0.1:0"}}
routes: [{name: all, to: app}]
upstreams: {app: {endpoints: ["127.0.0.1:1"]}}
access_log: {to: false}
"""


def means(before: Plan, after: Plan) -> Means:
    """Give what a plan needs."""
    keep = before.access_log == after.access_log
    return Means(7, None if keep else open_log(after.access_log, 0.0, 0.0), keep)


class Running:
    """A worker without listeners' sockets, its profile's file, and what loads it again."""

    def __init__(self, path: Path, worker: Worker, reloader: Reloader) -> None:
        self.path, self.worker, self.reloader = path, worker, reloader

    def edit(self, old: str, new: str) -> None:
        """Change the file."""
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    """Run a worker for the profile, whose listener is bound to no socket."""
    path = folder / "edge.yaml"
    path.write_text(PROFILE)
    loaded = load_profile(str(path))
    assert loaded.plan is not None
    worker = Worker(loaded.plan, [], None, 100, trio.current_time)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: worker.run(task_status=task_status))
        yield Running(path, worker, Reloader(worker, loaded, str(path), ThisMachine, means))
        worker.stop()


async def test_a_change_is_told_and_counts(tmp_path: Path) -> None:
    """In one line, with both digests and the counts; then it says what runs."""
    async with running(tmp_path) as edge:
        before = edge.worker.plan.digest
        edge.edit("to: app}", "to: app, timeouts: {request: 9s}}")
        outcome = await edge.reloader.reload()
        after = edge.worker.plan.digest
        assert outcome.ok
        assert outcome.text == f"reloaded {edge.path} ({before} to {after}): 1 change in 1 route"
        assert (outcome.generation, [change.path for change in outcome.changes]) == (
            2,
            ["routes.all.timeouts.request"],
        )
        assert edge.worker.plan.routes[0].timeouts.request == 9.0
        again = await edge.reloader.reload()
        assert (again.ok, again.generation, again.changes) == (True, 2, ())
        assert again.text == f"{edge.path} says what runs already"


async def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    """It says what would."""
    async with running(tmp_path) as edge:
        edge.edit("to: app}", "to: app, timeouts: {request: 9s}}")
        before = edge.worker.current()
        outcome = await edge.reloader.reload(dry_run=True)
        assert outcome.ok
        assert outcome.text.startswith("would reload: 1 change in 1 route; a reload does it all")
        assert edge.worker.current() is before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("to: app}", "to: nowhere}", "has 1 error"),
        ("meshctl: 1", "meshctl: 1\nprocess: {workers: nine, drain_timeout: never}", "has 2 errors"),
        ("to: false", "to: /nowhere/at/all/log", "/nowhere/at/all/log"),
        ('"127.0.0.1:0"', '"198.51.100.1:1"', "198.51.100.1:1"),
    ],
)
async def test_what_is_wrong_is_told_and_changes_nothing(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    """With the diagnostics where there are some, and always with what stays."""
    async with running(tmp_path) as edge:
        before = edge.worker.current()
        edge.edit(old, new)
        outcome = await edge.reloader.reload()
        assert not outcome.ok
        assert outcome.text.startswith("not reloaded: ")
        assert outcome.text.endswith("; the profile of before stays")
        assert said in outcome.text + outcome.problems
        assert ("error[" in outcome.problems) == ("error" in outcome.text)
        assert edge.worker.current() is before


async def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    """Whatever becomes of the file, the proxy goes on."""
    async with running(tmp_path) as edge:
        edge.path.unlink()
        outcome = await edge.reloader.reload()
        assert not outcome.ok
        assert "edge.yaml" in outcome.problems


async def test_what_needs_a_restart_is_named_and_stays(tmp_path: Path) -> None:
    """The name of the proxy is part of sockets and logs; the rest of the change counts."""
    async with running(tmp_path) as edge:
        edge.edit("name: edge", "name: other")
        edge.edit("to: app}", "to: app, timeouts: {request: 9s}}")
        outcome = await edge.reloader.reload()
        assert outcome.ok
        assert outcome.text.endswith("2 changes in name and 1 route; `name` needs a restart")
        assert (edge.worker.plan.name, edge.worker.plan.routes[0].timeouts.request) == ("edge", 9.0)


async def test_another_log_takes_over(tmp_path: Path) -> None:
    """Lines from then on go there, and the old one is written to its end."""
    async with running(tmp_path) as edge:
        first, second = tmp_path / "first.log", tmp_path / "second.log"
        edge.edit("to: false", f"to: {first}")
        assert (await edge.reloader.reload()).ok
        log = edge.worker.ending.log
        edge.edit(str(first), str(second))
        assert (await edge.reloader.reload()).ok
        assert log is not None
        assert edge.worker.ending.log is not log
        assert (first.exists(), second.exists()) == (True, True)
        edge.edit(f"to: {second}", "to: false")
        assert (await edge.reloader.reload()).ok
        assert edge.worker.ending.log is None


async def test_one_at_a_time(tmp_path: Path) -> None:
    """Two that are asked for at once are done in turn, the second with nothing left to do."""
    async with running(tmp_path) as edge:
        edge.edit("to: app}", "to: app, timeouts: {request: 9s}}")
        texts = []

        async def reload() -> None:
            texts.append((await edge.reloader.reload()).text)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reload)
            nursery.start_soon(reload)
        assert sorted(text.split()[0] for text in texts) == sorted(["reloaded", str(edge.path)])
        assert edge.worker.current().generation == 2


async def test_only_what_was_shown_is_loaded(tmp_path: Path) -> None:
    """A file that somebody changed in between is another one: nothing happens, and no event tells of it."""
    async with running(tmp_path) as edge:
        edge.edit("to: app}", "to: app, timeouts: {request: 9s}}")
        shown = (await edge.reloader.reload(dry_run=True)).digest
        edge.edit("9s", "1s")
        told = edge.worker.bulletin.last
        outcome = await edge.reloader.reload(expect=shown)
        assert (outcome.ok, outcome.other, outcome.generation) == (False, True, 1)
        assert "has changed since it was shown" in outcome.text
        assert edge.worker.bulletin.last == told
        assert (await edge.reloader.reload(expect=outcome.digest)).ok


async def test_what_waits_for_a_restart_is_not_forgotten(tmp_path: Path) -> None:
    """Though the file says what was loaded."""
    async with running(tmp_path) as edge:
        edge.edit("name: edge", "name: other")
        assert (await edge.reloader.reload()).ok
        outcome = await edge.reloader.reload(dry_run=True)
        assert outcome.text.endswith("says what runs already, but for what waits for a restart: name")
        edge.edit("name: other", "name: edge")
        assert (await edge.reloader.reload()).ok
        assert (await edge.reloader.reload(dry_run=True)).text.endswith("says what runs already")


async def test_a_dry_run_of_a_broken_file_is_no_reload(tmp_path: Path) -> None:
    """It says what a reload would do."""
    async with running(tmp_path) as edge:
        edge.edit("to: app}", "to: nobody}")
        outcome = await edge.reloader.reload(dry_run=True)
        assert not outcome.ok
        assert outcome.text.endswith("has 1 error: a reload would change nothing")
