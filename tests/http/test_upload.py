"""An upload can be stopped, and whoever stopped it knows that it reads no more."""

from __future__ import annotations

import trio

from appliance.http.upload import Upload


async def test_it_runs_to_its_end(autojump_clock: object) -> None:
    """Stopping it afterwards changes nothing."""
    done = []

    async def pump() -> None:
        await trio.sleep(1)
        done.append(True)

    upload = Upload()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upload.run, pump)
        await trio.sleep(2)
        await upload.stop()
    assert done == [True]


async def test_stopping_waits_for_its_cleanup(autojump_clock: object) -> None:
    """Only then may another read the body; the task that stops it is not cancelled itself."""
    order = []

    async def pump() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)
            order.append("cleaned")

    upload = Upload()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upload.run, pump)
        await trio.sleep(1)
        await upload.stop()
        order.append("stopped")
    assert order == ["cleaned", "stopped"]
    assert trio.current_time() == 4


async def test_one_that_is_stopped_before_it_ran_does_nothing(autojump_clock: object) -> None:
    """The scope is cancelled before it is entered."""
    ran = []

    async def pump() -> None:
        await trio.lowlevel.checkpoint()
        ran.append(True)

    upload = Upload()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upload.run, pump)
        await upload.stop()
    assert ran == []
