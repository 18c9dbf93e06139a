"""Requests to addresses that others name: only to the public network, only to what was looked at, never for long."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from receivers import receiving

from eisenergy.work import reaching
from eisenergy.work.reaching import NotAllowed, NotReached, Reached, addresses, allowed, checked

HERE = ("127.0.0.0/8",)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("0.0.0.0", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False),
        ("255.255.255.255", False), ("240.0.0.1", False), ("198.18.0.1", False), ("192.0.2.1", False), ("::1", False), ("::", False),
        ("fe80::1", False), ("fc00::1", False), ("ff02::1", False), ("::ffff:10.0.0.1", False), ("::ffff:8.8.8.8", True),
        ("64:ff9b::a9fe:a9fe", False), ("2002:7f00:1::", False), ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
        ("fec0::1", False), ("::127.0.0.1", False), ("::ffff:0.0.0.0", False), ("64:ff9b:1::a00:1", False),
    ],
)  # fmt: skip
def test_what_is_public(address: str, public: bool) -> None:
    assert allowed(ipaddress.ip_address(address), ()) is public


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "http://hooks.example/", "https://", "ftp://hooks.example/", "https://user:pw@hooks.example/",
        "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.9/", "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:169.254.169.254]/", "http://127.0.0.1:8000/", "http://localhost/", "https://hooks.example/#x",
        "https://2130706433/", "https://0x7f.1/", "https://hooks.example:99999/", "https://hooks.example:0/", "https://0/",
        "https://224.0.0.1/", "https://" + "x" * 2000, "javascript:alert(1)", "https://hooks.example/ x", "https://h.example/\n",
    ],
)  # fmt: skip
def test_what_must_not_be_reached_is_no_address(url: str) -> None:
    with pytest.raises(NotAllowed, match="expected"):
        checked(url, ())


def test_a_network_that_is_named_may_be_reached_and_no_other() -> None:
    for address, networks, wanted in (
        ("10.20.1.1", ("10.20.0.0/16",), True),
        ("10.21.1.1", ("10.20.0.0/16",), False),
        ("::ffff:10.20.1.1", ("10.20.0.0/16",), True),
        ("fd00::1", ("10.20.0.0/16", "fd00::/8"), True),
    ):
        assert allowed(ipaddress.ip_address(address), networks) is wanted
    assert checked("http://127.0.0.1:1/x", HERE).port == 1
    for url in ("http://8.8.8.8/", "http://one.example/"):
        with pytest.raises(NotAllowed, match="expected https"):
            checked(url, HERE)


def test_a_name_that_stands_for_this_machine_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one of its addresses is public, and where it was public a moment ago."""
    with pytest.raises(NotAllowed, match=r"localhost is (127\.0\.0\.1|::1), which is no public address"):
        addresses("localhost", 443, ())
    found = [[("8.8.8.8", 443)], [("8.8.8.8", 443), ("127.0.0.1", 443)]]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", to) for to in found.pop(0)])
    assert addresses("changing.example", 443, ()) == [ipaddress.ip_address("8.8.8.8")]
    with pytest.raises(NotAllowed, match=r"changing\.example is 127\.0\.0\.1"):
        Reached("https://changing.example/", ()).post(b"", {})


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def connecting(to: tuple[str, int], **_: object) -> socket.socket:
        asked.append(to)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("8.8.8.8", 443))])
    monkeypatch.setattr(socket, "create_connection", connecting)
    with pytest.raises(NotReached, match=r"name\.example: Connection refused"):
        Reached("https://name.example/", ()).post(b"", {})
    assert asked == [("8.8.8.8", 443)]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_leads_nowhere(status: int) -> None:
    with receiving() as receiver, Reached(receiver.url, HERE) as reached:
        receiver.answer = lambda _: status
        assert reached.post(b"x", {}).status == status
        assert [one.path for one in receiver.got] == ["/hook?of=eis"]


def test_one_connection_is_kept_and_made_anew_when_it_was_closed() -> None:
    with receiving() as receiver, Reached(receiver.url, HERE) as reached:
        for _ in range(3):
            assert reached.post(b"{}", {"A": "b"}).status == 204
        kept = reached._connection
        assert kept is not None
        kept.sock.shutdown(socket.SHUT_RDWR)
        assert reached.post(b"{}", {}).status == 204
        assert len(receiver.got) == 4


@contextmanager
def saying(answer: bytes, every: float = 0.0) -> Iterator[int]:
    """A server that answers with these bytes, one by one where ``every`` is a time between them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ending = threading.Event()

        def serve() -> None:
            listener.settimeout(0.1)
            while not ending.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.recv(65536)
                    try:
                        for at in range(0, len(answer), 1 if every else 1 << 16):
                            connection.sendall(answer[at : at + (1 if every else 1 << 16)])
                            if every and ending.wait(every):
                                break
                    except OSError:
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        ending.set()
        thread.join()


def test_an_answer_that_trickles_is_cut_and_one_without_end_is_not_read() -> None:
    with saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 999, every=0.05) as port:
        began = time.monotonic()
        with pytest.raises(NotReached, match=r"no answer within 0\.4 s"):
            Reached(f"http://127.0.0.1:{port}/", HERE, seconds=0.4).post(b"", {})
        assert time.monotonic() - began < 5
    with saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (4 << 20)) as port:
        assert Reached(f"http://127.0.0.1:{port}/", HERE).post(b"", {}).status == 200
    for answer in (b"", b"\x00\xff", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"):
        with saying(answer) as port, pytest.raises(NotReached):
            Reached(f"http://127.0.0.1:{port}/", HERE).post(b"", {})


def test_a_handshake_that_trickles_is_cut() -> None:
    """A TLS record that announces sixteen kilobytes and comes byte by byte, each before the socket's own time is over."""
    with saying(b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + b"\x00" * 400, every=0.05) as port:
        began = time.monotonic()
        with pytest.raises(NotReached, match=r"no answer within 0\.4 s"):
            Reached(f"https://127.0.0.1:{port}/", HERE, seconds=0.4).post(b"", {})
        assert time.monotonic() - began < 5


def test_connecting_takes_no_longer_than_the_request_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of many addresses where nobody answers, and one that answers when the time is over."""
    with saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, every=0.05) as port:
        real, tried = socket.create_connection, []

        def silent(to: tuple[str, int], timeout: float) -> socket.socket:
            tried.append(to[0])
            if to[0] != "127.0.0.1":
                time.sleep(min(timeout, 0.3))
                raise TimeoutError("timed out")
            return real(to, timeout)

        found = [f"127.0.1.{n}" for n in range(1, 200)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (one, port)) for one in found])
        monkeypatch.setattr(socket, "create_connection", silent)
        began = time.monotonic()
        with pytest.raises(NotReached):
            Reached(f"https://many.example:{port}/", HERE, seconds=0.4).post(b"", {})
        assert time.monotonic() - began < 5
        assert len(tried) < 10
        # resolving is not cut; what is connected after the time is over is not waited for
        found[:] = ["127.0.0.1"]
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: time.sleep(0.6) or [(2, 1, 6, "", ("127.0.0.1", port))]
        )
        with pytest.raises(NotReached, match=r"no answer within 0\.4 s"):
            Reached(f"http://localhost:{port}/", HERE, seconds=0.4).post(b"", {})


def test_nobody_there() -> None:
    with receiving() as gone:
        url = gone.url
    with pytest.raises(NotReached, match="refused"):
        Reached(url, HERE).post(b"", {})
    with pytest.raises(NotReached, match="no such name"):
        addresses("name.invalid", 443, ())
    assert reaching.SECONDS == 10
