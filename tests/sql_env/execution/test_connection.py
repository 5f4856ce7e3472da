"""Messages over a socket: whatever their sizes and however they arrive, they come out as they went in."""

import select
import socket
import threading
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sql_env.execution.connection import Connection

LENGTH = 8  # bytes before each message


def framed(message):
    return len(message).to_bytes(LENGTH, "big") + message


@contextmanager
def ends():
    """A bare socket and the line at its other end."""
    ours, theirs = socket.socketpair()
    line = Connection(theirs)
    try:
        yield ours, line
    finally:
        ours.close()
        line.close()


def read(line, count):
    found = []
    while len(found) < count:
        found += map(bytes, line.receive())
    return found


def to_the_end(line, wait):
    while True:
        assert line.receive(wait) == []


MESSAGES = st.lists(st.binary(max_size=40) | st.integers(0, 300_000).map(bytes), max_size=8)


@settings(max_examples=60)
@given(MESSAGES, st.randoms(use_true_random=False))
@example([b""] * 5, None)
def test_any_messages_cut_anywhere(messages, chance):
    """Each piece is read as far as it goes before the next is sent, as a slow sender would do."""
    stream, found = b"".join(map(framed, messages)), []
    with ends() as (socket_, line):
        at = 0
        while at < len(stream):
            size = chance.choice([1, 7, 8, 9, 4_096, 50_000]) if chance else 1
            socket_.sendall(stream[at : at + size])
            at += size
            while select.select([line], [], [], 0)[0]:
                found += map(bytes, line.receive(wait=False))
    assert found == messages


@settings(max_examples=20)
@given(MESSAGES)
def test_a_reader_that_waits_gets_at_least_one_each_time(messages):
    with ends() as (socket_, line):
        writer = threading.Thread(
            target=socket_.sendall, args=(b"".join(map(framed, messages)),), daemon=True
        )
        writer.start()
        found = []
        while len(found) < len(messages):
            some = line.receive()
            assert some
            found += map(bytes, some)
        writer.join()
    assert found == messages


def test_many_messages_in_one_read():
    with ends() as (socket_, line):
        socket_.sendall(b"".join(framed(b"%d" % n) for n in range(500)) + framed(b"last")[:-1])
        assert [bytes(message) for message in line.receive()] == [b"%d" % n for n in range(500)]
        assert line.receive(wait=False) == []
        socket_.sendall(b"t")
        assert [bytes(message) for message in line.receive()] == [b"last"]


def test_half_a_message_does_not_block():
    with ends() as (socket_, line):
        assert line.receive(wait=False) == []
        socket_.sendall(framed(bytes(100))[:50])
        assert line.receive(wait=False) == []


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("sent", [b"", b"\0\0\0", framed(b"whole")[:-1], framed(bytes(300_000))[:200_000]])
def test_the_end_in_mid_message(sent, wait):
    with ends() as (socket_, line):
        threading.Thread(target=lambda: (socket_.sendall(framed(b"a") + sent), socket_.close())).start()
        assert read(line, 1) == [b"a"]
        with pytest.raises(EOFError):
            to_the_end(line, wait)


def test_what_was_sent_before_the_end_is_received():
    with ends() as (socket_, line):
        line.send(b"unread: the end resets the connection")
        socket_.sendall(framed(b"a") + framed(b"b"))
        socket_.close()
        assert read(line, 2) == [b"a", b"b"]
        with pytest.raises(EOFError):
            line.receive()
        with pytest.raises(BrokenPipeError):
            line.send(b"nobody is there")


@pytest.mark.parametrize("size", [70_000, pytest.param(2**25, marks=pytest.mark.slow)])
def test_both_ends_send_what_no_buffer_holds(size):
    left, right = map(Connection, socket.socketpair())
    messages = [bytes([n]) * (size + n) for n in range(4)]
    said = {}

    def speak(line):
        for message in messages:
            line.send(message)

    def listen(name, line):
        said[name] = read(line, len(messages))

    threads = [threading.Thread(target=speak, args=(line,), daemon=True) for line in (left, right)]
    threads += [threading.Thread(target=listen, args=each, daemon=True) for each in enumerate((left, right))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert said == {0: messages, 1: messages}
    left.close()
    right.close()
