"""Files of TLS and tokens: there, fit for use, of their time, for the right hosts, and not for everyone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.check_certificates import DAY, MAX_FILE, check_certificates
from appliance.config.diagnostic import Diagnostic
from appliance.config.load import load_profile
from tests.kit.machines import NOW, FakeMachine

PARTS = Path(__file__).parent / "corpus" / "bad" / "parts"
HTTPS = 'web: {bind: ":8443", protocol: https, tls: {certificates: [%s]}}'
PAIR = "{cert: %s, key: %s}"
SITE = PAIR % ("site.crt", "site.key")


def found(
    listeners: str,
    rest: str = "",
    machine: FakeMachine | None = None,
    *,
    at: Path = PARTS,
    env: dict[str, str] | None = None,
) -> list[Diagnostic]:
    """Give what is said of the files of a profile that lies beside them."""
    routes = "" if "routes:" in rest else "routes: [{name: a, respond: {status: 204}}]\n"
    text = f"meshctl: 1\nlisteners: {{{listeners}}}\n{routes}{rest}\n"
    loaded = load_profile(str(at / "a.yaml"), text=text.encode(), env=env or {})
    assert loaded.merged is not None
    before = {id(diagnostic) for diagnostic in loaded.diagnostics}
    check_certificates(loaded.merged, machine or FakeMachine(), loaded.diagnostics)
    return [diagnostic for diagnostic in loaded.diagnostics if id(diagnostic) not in before]


def told(
    listeners: str, rest: str = "", machine: FakeMachine | None = None, *, at: Path = PARTS
) -> list[str]:
    return [f"{d.code} {d.path}" for d in found(listeners, rest, machine, at=at)]


def of(cert: str, key: str = "site.key", machine: FakeMachine | None = None) -> list[Diagnostic]:
    return found(HTTPS % (PAIR % (cert, key)), machine=machine)


CERT = "listeners.web.tls.certificates[0].cert"


def test_a_good_pair_is_not_mentioned() -> None:
    """Neither are profiles without any."""
    assert of("site.crt") == []
    assert found('web: {bind: ":8080"}') == []


def test_every_file_that_a_profile_names_is_opened() -> None:
    """Wherever one may be named."""
    listeners = 'web: {bind: ":1", protocol: https, tls: {certificates: [{cert: a, key: b}], client_ca: c}}'
    rest = (
        "upstreams: {app: {endpoints: [10.0.0.1:1], tls: {ca: d, cert: e, key: f}}}\n"
        "stats: {token_file: g, tls: {cert: h, key: i}}"
    )
    tls, app = "listeners.web.tls", "upstreams.app.tls"
    assert told(listeners, rest) == [
        f"MC604 {path}"
        for path in (
            f"{tls}.certificates[0].cert",
            f"{tls}.certificates[0].key",
            f"{tls}.client_ca",
            f"{app}.ca",
            f"{app}.cert",
            f"{app}.key",
            "stats.token_file",
            "stats.tls.cert",
            "stats.tls.key",
        )
    ]


def test_paths_begin_at_the_file_that_names_them(tmp_path: Path) -> None:
    """Also those in an included file; absolute ones are as they are."""
    below = tmp_path / "below"
    below.mkdir()
    for name in ("site.crt", "site.key"):
        (below / name).write_bytes((PARTS / name).read_bytes())
    pair = PAIR % ("site.crt", "site.key")
    (below / "tls.yaml").write_text(
        f"listeners: {{tls: {{bind: ':2', protocol: https, tls: {{certificates: [{pair}]}}}}}}\n"
    )
    assert told('web: {bind: ":1"}', "include: below/tls.yaml", at=tmp_path) == []
    absolute = HTTPS % (PAIR % (below / "site.crt", below / "site.key"))
    assert told(absolute, at=tmp_path) == []
    (missing,) = found(HTTPS % (PAIR % ("below/site.crt", "/no-such.key")), at=tmp_path)
    assert (missing.message, missing.help) == ("cannot read `/no-such.key`: no such file or directory", "")


def test_nothing_is_waited_for(tmp_path: Path) -> None:
    """A pipe without a writer, a directory, a device and a file without end are told, not read."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b"-" * (MAX_FILE + 1))
    (tmp_path / "loop").symlink_to("loop")
    for name, words in (
        ("pipe", "it is not a regular file"),
        ("/dev/zero", "it is not a regular file"),
        (".", "it is a directory"),
        ("huge", "it is larger than 1 MiB"),
        ("site.crt/x", "no such file or directory"),
        ("loop", "too many levels of symbolic links"),
        ("x" * 300, "file name too long"),
        ("/proc/self/mem", "input/output error"),
    ):
        (problem,) = found('web: {bind: ":1"}', f"stats: {{token_file: {name}}}", at=tmp_path)
        assert problem.code == "MC604"
        assert problem.message.endswith(f": {words}")


def test_no_more_is_read_than_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 64 MiB is given up after its first."""
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 64 << 20)
    sizes = []
    read = os.read

    def count(descriptor: int, most: int) -> bytes:
        sizes.append(most)
        return read(descriptor, most)

    monkeypatch.setattr(os, "read", count)
    assert told('web: {bind: ":1"}', "stats: {token_file: huge}", at=tmp_path) == ["MC604 stats.token_file"]
    assert sizes == [MAX_FILE + 1]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """However reading ends."""
    before = len(os.listdir("/proc/self/fd"))
    for name in (".", "/proc/self/mem", "no-such", str(PARTS / "site.key")):
        found('web: {bind: ":1"}', f"stats: {{token_file: {name}}}", at=tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_files_of_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason, without the path."""

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    (problem, _) = of("site.crt")
    assert problem.message == "cannot read `site.crt`: permission denied"


def test_an_empty_token_is_no_token(tmp_path: Path) -> None:
    """Whoever sends none would have it; nor is one that can be guessed: the proxy would take neither."""
    for content in (" \n", "abc\n", "x" * 31):
        (tmp_path / "t").write_text(content)
        assert told('web: {bind: ":1"}', "stats: {token_file: t}", at=tmp_path) == ["MC604 stats.token_file"]
    (tmp_path / "t").write_text("x" * 32 + "\n")
    assert told('web: {bind: ":1"}', "stats: {token_file: t}", at=tmp_path) == []


def test_a_certificate_without_a_key_is_looked_at_too() -> None:
    """As far as possible; that its key is missing is told by others."""
    (problem,) = found(
        'web: {bind: ":1"}', "upstreams: {a: {endpoints: [10.0.0.1:1], tls: {cert: site.key}}}"
    )
    assert (problem.code, problem.path) == ("MC605", "upstreams.a.tls.cert")
    (date,) = found(HTTPS % (PAIR % ("expired.crt", "no-such.key")))[:1]
    assert date.code == "MC606"


def test_a_pair_that_does_not_match_points_at_both() -> None:
    """The key is at fault, the certificate beside it."""
    (problem,) = of("site.crt", "other.key")
    assert problem.path == "listeners.web.tls.certificates[0].key"
    assert [related.message for related in problem.related] == ["the certificate"]


def test_a_pair_in_defaults_is_told_once() -> None:
    """However many upstreams have it."""
    rest = (
        "defaults: {upstream: {tls: {cert: site.crt, key: other.key}}}\n"
        "upstreams: {a: {endpoints: [10.0.0.1:1]}, b: {endpoints: [10.0.0.1:2]}}"
    )
    assert told('web: {bind: ":1"}', rest) == ["MC605 defaults.upstream.tls.key"]


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (14 * DAY, []),
        (14 * DAY - 1, ["certificate `soon.crt` expires in 13 days, on 2031-02-03"]),
        (DAY, ["certificate `soon.crt` expires in 1 day, on 2031-02-03"]),
        (7200.0, ["certificate `soon.crt` expires in 2 hours, on 2031-02-03"]),
        (61.0, ["certificate `soon.crt` expires in 1 minute, on 2031-02-03"]),
        (0.0, ["certificate `soon.crt` expires in less than a minute, on 2031-02-03"]),
        (-1.0, ["certificate `soon.crt` expired less than a minute ago, on 2031-02-03"]),
        (-3 * DAY, ["certificate `soon.crt` expired 3 days ago, on 2031-02-03"]),
    ],
)
def test_the_end_of_a_certificate_is_told_from_14_days_on(left: float, expected: list[str]) -> None:
    """To the second, and by the clock of the machine."""
    ends = NOW + 9 * DAY + 6 * 3600
    problems = of("soon.crt", machine=FakeMachine(ends - left))
    assert [problem.message for problem in problems] == expected
    assert all(problem.severity == ("warning" if left >= 0 else "error") for problem in problems)


@pytest.mark.parametrize(
    ("hours", "expected"), [(0, []), (15, []), (17, ["MC607"]), (25, ["MC606"]), (-1, ["MC606"])]
)
def test_a_short_life_is_close_to_its_end_in_its_last_third(hours: int, expected: list[str]) -> None:
    """A certificate for one day would otherwise be complained of from its first hour."""
    begins = NOW - 12 * 3600
    assert [
        problem.code for problem in of("brief.crt", machine=FakeMachine(begins + hours * 3600))
    ] == expected


def test_an_old_signer_is_a_warning() -> None:
    """Clients may know another way; at the head of the file it is an error."""
    (behind,) = of("old-chain.crt")
    (head,) = of("expired.crt")
    assert (behind.code, behind.severity) == ("MC606", "warning")
    assert (head.code, head.severity) == ("MC606", "error")


def test_one_valid_authority_is_enough(tmp_path: Path) -> None:
    """Lists of authorities carry old ones along."""
    upstream = "upstreams: {a: {endpoints: [10.0.0.1:1], tls: {ca: %s}}}"
    old, new = ((PARTS / name).read_bytes() for name in ("old-ca.crt", "ca.crt"))
    (tmp_path / "list.pem").write_bytes(old + new)
    (tmp_path / "old.pem").write_bytes(old + old)
    assert told('web: {bind: ":1"}', upstream % (tmp_path / "list.pem")) == []
    (problem,) = found('web: {bind: ":1"}', upstream % "old.pem", at=tmp_path)
    assert problem.severity == "error"
    assert problem.message == "the last authority of `old.pem` expired 238 days ago, on 2030-06-01"


def test_an_authority_of_the_future_does_not_help_now(tmp_path: Path) -> None:
    """What counts is the one that is valid and lasts longest, here nine days."""
    (tmp_path / "list.pem").write_bytes(
        b"".join((PARTS / f"{name}.crt").read_bytes() for name in ("soon", "future"))
    )
    rest = "upstreams: {a: {endpoints: [10.0.0.1:1], tls: {ca: list.pem}}}"
    assert told('web: {bind: ":1"}', rest, at=tmp_path) == ["MC607 upstreams.a.tls.ca"]


ROUTES = (
    "routes: [{name: r, match: {hosts: [%s]}, respond: {status: 204}}, {name: a, respond: {status: 204}}]"
)


def test_a_host_needs_one_certificate_of_any_listener() -> None:
    """A route can be reached through all of them; what one lacks another may have."""
    other = (
        'more: {bind: ":2", protocol: https, tls: {certificates: [{cert: ed25519.crt, key: ed25519.key}]}}'
    )
    assert told(HTTPS % SITE, ROUTES % "ed.example.com") == ["MC608 routes.r.match.hosts[0]"]
    assert told(f"{HTTPS % SITE}, {other}", ROUTES % "ed.example.com") == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", ["MC608"]),
        (', p: {bind: ":2", redirect: https}', ["MC608"]),
        (', p: {bind: ":2"}', []),
        (', p: {bind: ":2", protocol: http}', []),
    ],
)
def test_hosts_that_can_be_reached_in_the_clear_need_no_certificate(more: str, expected: list[str]) -> None:
    """A listener that only redirects serves no route."""
    assert [d.code for d in found(HTTPS % SITE + more, ROUTES % "example.com")] == expected


@pytest.mark.parametrize("pair", [PAIR % ("site.crt", "other.key"), PAIR % ("no-such.crt", "site.key")])
def test_hosts_are_not_compared_unless_all_certificates_are_known(pair: str) -> None:
    """The one that is missing may be the one for them."""
    assert "MC608" not in [d.code for d in found(HTTPS % f"{SITE}, {pair}", ROUTES % "example.com")]


def test_a_host_of_several_routes_is_told_once() -> None:
    """At the first of them."""
    rest = ROUTES % "example.com, example.com" + "\ntests: []"
    assert told(HTTPS % SITE, rest) == ["MC608 routes.r.match.hosts[0]"]


def test_the_names_of_the_certificates_are_shown_beside() -> None:
    """So that it is plain what is missing."""
    (problem,) = found(HTTPS % SITE, ROUTES % "example.com")
    (related,) = problem.related
    assert related.message == (
        "the certificate is for shop.example.com, *.shop.example.com, 192.0.2.1, 2001:db8::1"
    )
    (problem,) = found(HTTPS % (PAIR % ("bare.crt", "site.key")), ROUTES % "example.com")
    assert problem.related[0].message == "the certificate is for no host at all"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o600, ""),
        (0o400, ""),
        (0o640, ""),
        (0o644, "read by every user of this machine (mode 0644)"),
        (0o604, "read by every user of this machine (mode 0604)"),
        (0o602, "changed by every user of this machine (mode 0602)"),
        (0o620, "changed by every user of its group (mode 0620)"),
        (0o660, "changed by every user of its group (mode 0660)"),
        (0o711, ""),
    ],
)
def test_keys_are_not_for_others(mode: int, expected: str) -> None:
    """What a group may read is its own affair; what it may change is told."""
    problems = of("site.crt", machine=FakeMachine(modes={"site.key": mode}))
    assert [problem.code for problem in problems] == (["MC609"] if expected else [])
    assert all(problem.message == f"private key `site.key` can be {expected}" for problem in problems)


def test_an_open_key_is_told_once_and_with_the_command() -> None:
    """Its path stands as it must be written in a shell; certificates may be read by all."""
    machine = FakeMachine(modes={"site.key": 0o644, "site.crt": 0o644})
    (problem,) = found(HTTPS % f"{SITE}, {SITE}", machine=machine)
    assert problem.help == f"take the right away: chmod 600 {PARTS / 'site.key'}"


def test_nothing_of_a_file_or_from_the_environment_is_shown() -> None:
    """Only the `${...}` that asked for the path; nothing of keys and tokens at all."""
    machine = FakeMachine(modes={"open.key": 0o644})
    env = {"HIDDEN_DIR": "/hidden", "KEY": str(PARTS / "open.key"), "LOCKED": str(PARTS / "encrypted.key")}
    pairs = ", ".join(
        PAIR % ("site.crt", key) for key in ("'${HIDDEN_DIR}/a.key'", "'${KEY}'", "'${LOCKED}'")
    )
    problems = found(HTTPS % pairs, machine=machine, env=env)
    assert [problem.code for problem in problems] == ["MC604", "MC609", "MC605"]
    for problem in problems:
        words = f"{problem.message} {problem.help} {problem.related}"
        assert "/hidden" not in words
        assert str(PARTS / "open.key") not in words
        assert "encrypted.key" not in words


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_content_of_files_ends_in_an_exception(
    tmp_path_factory: pytest.TempPathFactory, first: bytes, second: bytes
) -> None:
    """Whatever bytes there are instead of a certificate, a key and a token."""
    folder = tmp_path_factory.getbasetemp()
    (folder / "f.crt").write_bytes(first)
    (folder / "f.key").write_bytes(second)
    rest = "upstreams: {a: {endpoints: [10.0.0.1:1], tls: {ca: f.crt}}}\nstats: {token_file: f.key}"
    assert "MC605" in [d.code for d in found(HTTPS % (PAIR % ("f.crt", "f.key")), rest, at=folder)]
