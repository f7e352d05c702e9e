"""The connection to a real Redis or Valkey: fail-overs behind one address, TLS, users, sockets, and what is told."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from redis import Redis

import service.redis.client as module
from radar.errors import InvalidRequest, StoreUnavailable
from radar.sequence import times_after
from service.history.codec import SeriesKey
from service.history.history import History
from service.history.redis.quarantine import RedisQuarantine
from service.history.redis.store import RedisHistory
from service.redis.client import connect, store_errors
from service.runs.redis_store import RedisRuns
from service.security.redis_quotas import RedisRateLimits
from tests.service.conftest import END, SMALL, RedisServer, free_port, sequence, wait_until
from tests.service.redis_front import Front, Saying, make_certificate
from tests.service.runs_made import made_run

SERIES = SeriesKey("RY", SMALL.key)
HOURS = timedelta(hours=6)
DOCUMENTED = Path(__file__).parents[3] / "docs" / "reference" / "redis.md"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two for all tests here; each finds them empty, and primaries without a password."""
    at_once = ("--repl-diskless-sync-delay", "0")
    pair = RedisServer(*at_once), RedisServer(*at_once)
    try:
        yield pair
    finally:
        for server in pair:
            server.kill()


@pytest.fixture
def pair(servers: tuple[RedisServer, RedisServer]) -> Iterator[tuple[Redis, Redis]]:
    clients = Redis(port=servers[0].port), Redis(port=servers[1].port)
    yield clients
    for client in clients:
        client.replicaof("NO", "ONE")
        client.config_set("replica-serve-stale-data", "yes")
        client.config_set("min-replicas-to-write", 0)
        client.flushall()
        client.close()


@pytest.fixture
def front(servers: tuple[RedisServer, RedisServer]) -> Iterator[Front]:
    made = Front(servers[0].port)
    yield made
    made.close()


def demote(old: Redis, new: Redis) -> None:
    """Make `old` a replica of `new`, as a fail-over does; it keeps its clients."""
    old.replicaof("127.0.0.1", str(port_of(new)))


def set_user(admin: Redis, name: str, *rules: str) -> None:
    admin.execute_command("ACL", "SETUSER", name, "on", ">word", *rules)  # type: ignore[no-untyped-call]


def port_of(client: Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def lonely(old: Redis, _: Redis) -> None:
    """A primary of before that nobody replicates: it must take no writes."""
    old.config_set("min-replicas-to-write", 1)


def cut_off(old: Redis, _: Redis) -> None:
    """A replica that lost its primary and does not answer from what it has."""
    old.config_set("replica-serve-stale-data", "no")
    old.replicaof("127.0.0.1", str(free_port()))


def count(url: str) -> Callable[[], object]:
    return partial(RedisRateLimits(connect(url)).count, "somebody", 1)


def script(url: str) -> Callable[[], object]:
    return partial(RedisRuns(connect(url), HOURS).lock, SERIES, "me", 5)


def watched(url: str) -> Callable[[], object]:
    history = RedisHistory(connect(url), HOURS)
    return lambda: history.bury(SERIES, END, history.now())


def command(url: str) -> Callable[[], object]:
    return partial(connect(url).set, "raincell:something", 1)


@pytest.mark.parametrize("how", [demote, lonely, cut_off])
@pytest.mark.parametrize("ask", [count, script, watched, command])
def test_after_a_fail_over_behind_one_address_the_first_call_already_reaches_the_new_primary(
    how: Callable[[Redis, Redis], None],
    ask: Callable[[str], Callable[[], object]],
    pair: tuple[Redis, Redis],
    front: Front,
) -> None:
    old, new = pair
    call = ask(f"redis://127.0.0.1:{front.port}/0")
    call()
    assert new.dbsize() == 0
    front.target = port_of(new)
    how(old, new)
    call()
    assert new.dbsize() > 0


def test_frames_go_to_the_new_primary_and_what_was_replicated_is_there(pair: tuple[Redis, Redis], front: Front) -> None:
    old, new = pair
    new.replicaof("127.0.0.1", str(port_of(old)))
    history = History(RedisHistory(connect(f"redis://127.0.0.1:{front.port}/0"), HOURS))
    frames = sequence(5, end=END)
    history.append(frames)
    wait_until(lambda: new.dbsize() == old.dbsize(), "what was written to be replicated")
    new.replicaof("NO", "ONE")
    demote(old, new)
    front.target = port_of(new)
    history.append(sequence(1, end=times_after(END, 1, 5)[0], seed=3))
    stored = RedisHistory(connect(f"redis://127.0.0.1:{port_of(new)}/0"), HOURS)
    assert stored.times(*SERIES) == [*frames.valid_times, *times_after(END, 1, 5)]


def test_while_nobody_takes_writes_it_is_an_error_that_says_so_soon_and_it_ends_with_the_fail_over(
    pair: tuple[Redis, Redis], front: Front
) -> None:
    old, new = pair
    demote(old, new)
    url, now = f"redis://127.0.0.1:{front.port}/0", [0.0]
    history = History(RedisHistory(connect(url), HOURS), clock=lambda: now[0])
    before = time.monotonic()
    for write in (command(url), count(url), script(url), watched(url), lambda: history.append(sequence(1, end=END))):
        with pytest.raises(StoreUnavailable, match=r"not a primary that takes writes \(READONLY\)"), store_errors():
            write()
    assert time.monotonic() - before < 10
    front.target = port_of(new)
    with pytest.raises(StoreUnavailable, match="a moment ago"):
        history.append(sequence(1, end=END))
    now[0] += 5.0  # the breaker's pause
    history.append(sequence(1, end=END))
    assert history.times(SERIES).value == [END]


def test_who_only_reads_leaves_the_primary_of_before_too(
    pair: tuple[Redis, Redis], front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = pair
    old.set("raincell:x", "old")
    new.set("raincell:x", "new")
    client = connect(f"redis://127.0.0.1:{front.port}/0")
    assert client.get("raincell:x") == b"old"
    front.target = port_of(new)  # the old one lives on and knows nothing of it
    assert client.get("raincell:x") == b"old"
    assert front.accepted == 1  # a connection is kept
    monkeypatch.setattr(module, "CONNECTION_SECONDS", 0.0)
    assert client.get("raincell:x") == b"new"


def test_a_server_that_loads_its_data_is_named_and_left_when_another_is_there(
    pair: tuple[Redis, Redis], front: Front, tmp_path: Path
) -> None:
    slowly = ("--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")  # microseconds a key
    loading = RedisServer("--dir", str(tmp_path), *slowly)
    try:
        with Redis(port=loading.port) as client:
            client.mset({f"raincell:{number}": os.urandom(200) for number in range(200)})
            client.save()
        loading.kill()
        loading.start()
        front.target = loading.port
        client = connect(f"redis://127.0.0.1:{front.port}/0")
        with pytest.raises(StoreUnavailable, match=r"still loads its data \(LOADING\)"), store_errors():
            client.set("raincell:x", 1)
        front.target = port_of(pair[0])
        assert client.set("raincell:x", 1)
    finally:
        loading.kill()


def test_users_passwords_sockets_and_databases(tmp_path: Path) -> None:
    socket = tmp_path / "redis socket"
    server = RedisServer("--unixsocket", str(socket), "--requirepass", "pa/ss@w:rd#?%41")
    password = quote("pa/ss@w:rd#?%41", safe="")
    tcp, path = f"127.0.0.1:{server.port}", quote(str(socket))
    try:
        admin = connect(f"redis://:{password}@{tcp}/0")
        admin.acl_setuser("ra:in", enabled=True, passwords=["+w@t"], keys=["raincell:*"], categories=["+@all"])
        for url in (
            f"redis://:{password}@{tcp}/3",
            f"redis://default:{password}@{tcp}?db=3",
            f"redis://ra%3Ain:w%40t@{tcp}/3",
            f"redis://{tcp}/3?username=ra%3Ain&password=w%40t",
            f"unix://ra%3Ain:w%40t@{path}?db=3",
            f"unix://:{password}@{path}?db=3&protocol=2",
        ):
            assert RedisRateLimits(connect(url)).count("one", 1) >= 1
        assert connect(f"redis://:{password}@{tcp}/3").get("raincell:{limit|one}:1") == b"6"
        assert admin.dbsize() == 0
    finally:
        server.kill()


def test_a_user_with_the_rights_that_are_documented_does_all(pair: tuple[Redis, Redis]) -> None:
    rules = re.search(r"ACL SETUSER raincell on >PASSWORD ([^`\n]+)", DOCUMENTED.read_text())
    assert rules
    set_user(pair[0], "raincell", *rules[1].split())
    url = f"redis://raincell:word@127.0.0.1:{port_of(pair[0])}/0"
    history, runs = RedisHistory(connect(url), HOURS), RedisRuns(connect(url), HOURS)
    History(history).append(sequence(5, end=END))
    assert history.withdraw("RY", END, history.now())
    assert runs.lock(SERIES, "me", 5)
    runs.put(made_run())
    assert runs.latest(made_run().run.series) is None
    assert runs.point(made_run().run.series, made_run().run.id)
    assert runs.frames(made_run().run.id, [0])
    runs.unlock(SERIES, "me")
    assert RedisQuarantine(connect(url)).entries() == []
    assert RedisRateLimits(connect(url)).count("me", 1) == 1
    with pytest.raises(StoreUnavailable, match="the command flushall"), store_errors():
        connect(url).flushall()


def test_what_a_user_may_not_do_is_named(pair: tuple[Redis, Redis]) -> None:
    set_user(pair[0], "half", "~other:*", "+@all", "-time", "-set")
    url = f"redis://half:word@127.0.0.1:{port_of(pair[0])}/0"
    with pytest.raises(StoreUnavailable, match=r"the command time \(NOPERM\).*docs/reference/redis.md"):
        RedisHistory(connect(url), HOURS).now()
    with pytest.raises(StoreUnavailable, match=r"keys that begin with raincell: \(NOPERM\)"):
        RedisHistory(connect(url), HOURS).products()
    with pytest.raises(StoreUnavailable, match="NOPERM") as raised:
        RedisRuns(connect(url), HOURS).lock(SERIES, "me", 5)
    assert "half" not in str(raised.value)


@pytest.mark.parametrize("user", ["", ":wrong@", "nobody:wrong@"])
def test_a_refused_password_is_named_and_not_told(user: str) -> None:
    server = RedisServer("--requirepass", "right")
    try:
        with pytest.raises(StoreUnavailable, match=r"user or password \(WRONGPASS or NOAUTH\)") as raised:
            RedisHistory(connect(f"redis://{user}127.0.0.1:{server.port}/0"), HOURS).products()
        assert "wrong" not in str(raised.value)
        assert "nobody" not in str(raised.value)
    finally:
        server.kill()


def test_tls(servers: tuple[RedisServer, RedisServer], pair: tuple[Redis, Redis], tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    other, _ = make_certificate(tmp_path, "elsewhere")
    tls = Front(servers[0].port, certificate, key)
    address, trusted = f"rediss://localhost:{tls.port}/0", f"?ssl_ca_certs={quote(str(certificate))}"
    try:
        limits = RedisRateLimits(connect(address + trusted))
        assert limits.count("one", 1) == 1
        assert RedisRateLimits(connect(address + "?ssl_cert_reqs=none")).count("one", 1) == 2
        for url, why in (
            (address, "a certificate that is not trusted: self-signed certificate.*ssl_ca_certs"),
            (f"{address}?ssl_ca_certs={other}", "a certificate that is not trusted"),
            (address.replace("localhost", "127.0.0.1") + trusted, "a certificate that is not trusted: IP address mis"),
            (f"redis://localhost:{tls.port}/0", "RAINCELL_REDIS_URL"),
        ):
            with pytest.raises(StoreUnavailable, match=why):
                RedisRateLimits(connect(url)).count("one", 1)
        demote(*pair)
        tls.target = port_of(pair[1])
        assert limits.count("one", 1) >= 1  # over the connection from before it would be refused
    finally:
        tls.close()


def test_what_does_not_connect_says_why(servers: tuple[RedisServer, RedisServer], tmp_path: Path) -> None:
    for url, why in (
        (f"redis://127.0.0.1:{free_port()}/0", r"no connection \(Connection refused\)"),
        ("redis://no-such-host.invalid/0", r"no connection \("),
        (f"unix://{tmp_path}/none?db=0", r"no connection \(No such file or directory\)"),
        (f"redis://127.0.0.1:{servers[0].port}/9999", "no database of that number"),
    ):
        with pytest.raises(StoreUnavailable, match=why) as raised:
            RedisRateLimits(connect(url)).count("one", 1)
        assert "invalid" not in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("MOVED 866 10.0.0.7:6379", "a Redis Cluster; "),
        ("CLUSTERDOWN Hash slot not served", "a Redis Cluster; "),
        # As Redis 6 says it, of which none is here.
        (
            "ERR Error running script (call to f_1): @user_script:4: @user_script: 4: -READONLY You can't write against"
            " a read only replica.",
            r"not a primary that takes writes \(READONLY\)",
        ),
        ("UNBLOCKED force unblock, instance state changed (master -> replica?)", r"\(UNBLOCKED\)"),
        ("MISCONF Redis is configured to save RDB snapshots, but cannot", r"an error \(MISCONF\)"),
        ("ERR unknown command 'EVAL'", r"an error \(ERR\)"),
    ],
)
def test_answers_of_other_servers_are_told(answer: str, told: str) -> None:
    server = Saying(answer)
    try:
        with pytest.raises(StoreUnavailable, match=told) as raised:
            RedisRuns(connect(f"redis://127.0.0.1:{server.port}/0?protocol=2"), HOURS).lock(SERIES, "me", 5)
        assert "10.0.0.7" not in str(raised.value)
    finally:
        server.close()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="RAINCELL_REDIS_URL"):
        connect("http://nonsense")
