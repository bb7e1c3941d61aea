"""An exchange ends in time however its answer drips in."""

import contextlib
import functools
import socket
import threading
from collections.abc import Iterator

import pytest

from vlp.cli import robot_stop
from vlp.cli.main import main
from vlp.robot.wire import Http, RobotUnreachable

TOKEN = "a-token-for-nobody"
HEADS = {"head": b"HTTP/1.1 200 OK\r\nX-Slow: ", "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"}


@contextlib.contextmanager
def dripping(head: bytes) -> Iterator[str]:
    """Serve answers that begin with a head and go on with a byte each hundredth of a second, without an end."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(head)
            while not ended.wait(0.01):
                connection.sendall(b"1")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)


def ends(thread: threading.Thread) -> bool:
    thread.daemon = True
    thread.start()
    thread.join(20.0)
    return not thread.is_alive()


@pytest.mark.parametrize("where", HEADS)
def test_a_client_does_not_wait_for_an_answer_without_an_end(where: str) -> None:
    """The time limit counted anew from each byte: every command hung for good."""

    def ask() -> None:
        with contextlib.closing(Http(url, TOKEN, 0.2)) as http, pytest.raises(RobotUnreachable) as told:
            http.call("GET", "/health")
        said.append(told.value.sent)

    said: list[bool] = []
    with dripping(HEADS[where]) as url:
        assert ends(threading.Thread(target=ask))
    assert said == [True]


@pytest.mark.parametrize("where", HEADS)
def test_the_command_sends_to_the_button_in_time(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`vlp robot stop` hung for good as well, and nobody was sent to the robot's own button."""
    monkeypatch.setattr(robot_stop, "_stopped", functools.partial(robot_stop._stopped, within_s=0.2))
    status: list[int] = []
    with dripping(HEADS[where]) as url:
        command = ["robot", "stop", "--robot", url, "--token", TOKEN]
        assert ends(threading.Thread(target=lambda: status.append(main(command))))
    assert status == [3]
    said = capsys.readouterr().err
    assert "did not confirm the stop: no answer within 0.2 s" in said and "stop button" in said
