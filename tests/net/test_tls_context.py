"""Which certificate a client sees, and how files that change are taken."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import trio

from appliance.config.plan_policy import CertificatePair, ListenerTls
from appliance.net.handshake import Refused, handshake_client, handshake_server
from appliance.net.park import Lot
from appliance.net.tls import TlsTransport
from appliance.net.tls_context import ClientTls, ServerTls, Watched
from tests.kit.certs import certs
from tests.kit.wires import pair


async def shown(tls: ServerTls, name: str) -> tuple[str, ...] | str:
    """Give the names of the certificate that a client sees who asks for ``name``."""
    near, far = pair(Lot(trio.current_time), capacity=1 << 20)
    found: list[tuple[str, ...] | str] = []

    async def accept() -> None:
        try:
            await handshake_server(far, tls, 5.0)
        except Refused as refused:
            found.append(str(refused))
            far.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        try:
            there = await handshake_client(
                near, ClientTls(certs().upstream(verify=False), "http1"), name, 5.0
            )
        except Exception:
            return found[0] if found else ""
    assert isinstance(there, TlsTransport)
    der = there.obj.getpeercert(True)
    assert der is not None
    from appliance.config.certificate import read_certificate

    return read_certificate(der).names


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ("a.example", "a.example"),
        ("A.EXAMPLE", "a.example"),
        ("x.w.example", "*.w.example"),
        ("x.y.w.example", "a.example"),
        ("w.example", "a.example"),
        ("other.example", "a.example"),
    ],
)
async def test_the_name_chooses_the_certificate(asked: str, seen: str, autojump_clock: object) -> None:
    """Exact names, wildcards of one label, and the first for all others."""
    assert seen in await shown(ServerTls(certs().listener("server", "wild"), True), asked)


async def test_unknown_names_can_be_refused(autojump_clock: object) -> None:
    """With the alert for it, and a word in the log."""
    tls = ServerTls(certs().listener("server", unknown_sni="reject"), True)
    assert "unknown_sni" in str(await shown(tls, "other.example"))
    assert "a.example" in await shown(tls, "a.example")


@pytest.fixture
def files(tmp_path: Path) -> ListenerTls:
    """Give a listener whose files may be changed."""
    put(tmp_path, "server")
    return ListenerTls((CertificatePair(str(tmp_path / "a.crt"), str(tmp_path / "a.key")),))


def put(home: Path, name: str, *kinds: str) -> None:
    """Copy a pair, or only its ``crt`` or ``key``, in the place of the present one."""
    for kind in kinds or ("crt", "key"):
        shutil.copy(certs().home / f"{name}.{kind}", home / f"new.{kind}")
        os.replace(home / f"new.{kind}", home / f"a.{kind}")


async def test_a_replaced_pair_is_taken(files: ListenerTls, tmp_path: Path, autojump_clock: object) -> None:
    """Once; without a change there is nothing to do."""
    watched = Watched(files, http2=True)
    assert watched.refresh() is None
    put(tmp_path, "wild")
    found = watched.refresh()
    assert isinstance(found, ServerTls)
    assert "*.w.example" in await shown(found, "x.w.example")
    assert watched.refresh() is None


def test_half_a_pair_is_not_taken(files: ListenerTls, tmp_path: Path) -> None:
    """Who copies the certificate first and the key later is waited for, and the complaint comes once."""
    watched = Watched(files, http2=True)
    put(tmp_path, "wild", "crt")
    found = watched.refresh()
    assert isinstance(found, str)
    assert "does not belong" in found
    assert watched.refresh() is None
    put(tmp_path, "wild", "key")
    assert isinstance(watched.refresh(), ServerTls)


@pytest.mark.parametrize("damage", ["gone", "empty", "garbage"])
def test_damaged_files_are_told(files: ListenerTls, tmp_path: Path, damage: str) -> None:
    """In words with the file's name; what was there before stays in use."""
    watched = Watched(files, http2=True)
    path = tmp_path / "a.crt"
    if damage == "gone":
        path.unlink()
    else:
        path.write_text(
            "" if damage == "empty" else "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        )
    found = watched.refresh()
    assert isinstance(found, str)
    assert "a.crt" in found


def test_a_swapped_link_is_a_change(tmp_path: Path) -> None:
    """Secrets of Kubernetes are swapped by a symbolic link to their directory."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        put(tmp_path / name, "server" if name == "one" else "wild")
    link = tmp_path / "data"
    link.symlink_to("one")
    watched = Watched(ListenerTls((CertificatePair(str(link / "a.crt"), str(link / "a.key")),)), http2=False)
    (tmp_path / "next").symlink_to("two")
    os.replace(tmp_path / "next", link)
    assert isinstance(watched.refresh(), ServerTls)
