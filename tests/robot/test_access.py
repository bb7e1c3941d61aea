"""Who may ask what of a robot's server."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from vlp.core.errors import UsageError
from vlp.robot.access import ROLES, Access, Grant, Role, read_grants
from vlp.robot.guard import role_for
from vlp.robot.serving import running_server
from vlp.robot.wire import Refusal
from vlp.sim.fake.robot import FakeRobot

from .test_server import code

TOKENS: dict[str, tuple[Role, ...]] = {f"token-to-{role}": (role,) for role in ROLES}
CALLS: list[tuple[str, str, Role, Any]] = [
    ("GET", "/manifest", "observe", None),
    ("GET", "/health", "observe", None),
    ("GET", "/observation", "observe", None),
    ("GET", "/state", "observe", None),
    ("GET", "/executions/none", "observe", None),
    ("POST", "/reachable", "operate", {"primitive": "home", "thing": {}}),
    ("POST", "/lease", "operate", {"holder": "x"}),
    ("POST", "/lease/release", "operate", {"holder": "x", "epoch": 1}),
    ("POST", "/executions", "operate", {"primitive": "home", "key": "k", "epoch": 1}),
    ("POST", "/executions/none/cancel", "operate", {"epoch": 1}),
    ("POST", "/stop", "stop", None),
    ("POST", "/stop/reset", "reset", None),
]


def ask(url: str, method: str, path: str, token: str, body: Any = None, **headers: str) -> httpx.Response:
    given = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.request(method, url + path, json=body, headers=given, trust_env=False, timeout=10)


def test_every_route_opens_to_its_own_role_and_to_no_other(tmp_path: Path) -> None:
    """The token that commands also opened the latch: whatever moved the robot could undo a person's stop."""
    access = Access([Grant.of(token, roles, token) for token, roles in TOKENS.items()])
    with running_server(FakeRobot(), access=access, record=tmp_path / "r.db") as at:
        paths = httpx.get(f"{at.url}/openapi.json", trust_env=False).json()["paths"]
        for path, methods in paths.items():
            for method in methods:
                known = {(m, p.replace("none", "{id}")) for m, p, _, _ in CALLS} | {("GET", "/events"), ("GET", "/executions")}
                assert (method.upper(), path) in known, f"{method} {path} has no row here"
        for method, path, role, body in CALLS:
            for token, roles in TOKENS.items():
                allowed = role in roles or (roles == ("operate",) and role in ("observe", "stop"))
                status = ask(at.url, method, path, token, body).status_code
                assert (status not in (401, 403)) == allowed, (method, path, token, status)
            for wrong in ("token-to-", "token-to-operate-not"):
                assert ask(at.url, method, path, wrong, body).status_code == 401
    audit = (tmp_path / "r.audit.jsonl").read_text()
    lines = [json.loads(line) for line in audit.splitlines()]
    assert {line["code"] for line in lines if line["status"] in (401, 403)} == {"unauthorized", "wrong-role"}
    assert any((line["by"], line["path"], line["status"]) == ("token-to-stop", "/stop", 200) for line in lines)
    assert "token-to-operate-not" not in audit and all("Bearer" not in line for line in audit.splitlines())


def test_a_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access([Grant.of("long-enough", ["operate"], expires_s=time.time() + 3600)])
    with running_server(FakeRobot(), access=access) as at:
        assert ask(at.url, "GET", "/health", "long-enough").status_code == 200
        later = time.time() + 3601
        monkeypatch.setattr("vlp.robot.access.time.time", lambda: later)
        assert code(ask(at.url, "GET", "/health", "long-enough")) == "expired"


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({"Host": "robot.example.com"}, "wrong-host"),
        ({"Host": "localhost.example.com:80"}, "wrong-host"),
        ({"Host": ""}, "wrong-host"),
        ({"Host": "[::1"}, "wrong-host"),
        ({"Origin": "https://example.com"}, "from-a-page"),
        ({"Origin": "null"}, "from-a-page"),
        ({"Origin": "http://127.0.0.1"}, "from-a-page"),
        ({"Sec_Fetch_Site": "cross-site"}, "from-a-page"),
    ],
)
def test_a_web_page_cannot_command_a_robot_even_with_the_token(headers: dict[str, str], fault: str) -> None:
    """Neither Host nor Origin was looked at, so that a page on a name that points here (DNS rebinding) got through."""
    with running_server(FakeRobot(), "long-enough-token") as at:
        for method, path in (("GET", "/health"), ("POST", "/stop"), ("GET", "/openapi.json")):
            assert code(ask(at.url, method, path, "long-enough-token", **headers)) == fault


def test_names_that_were_given_are_taken_besides_addresses() -> None:
    access = Access.of("long-enough-token", "another-token", ["Robot.Lab"])
    for host in ("127.0.0.1:80", "[::1]:80", "localhost", "robot.lab:8765", "ROBOT.LAB", "192.168.1.7"):
        access.check_origin({b"host": host.encode()})


def test_requests_need_the_least_role() -> None:
    assert role_for("POST", "/stop") == "stop" and role_for("POST", "/stop/reset/") == "reset"
    assert role_for("DELETE", "/health") == "operate" and role_for("GET", "/anything") == "observe"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("no json", "cannot be read"),
        ({}, "no list of tokens"),
        ([], "no list of tokens"),
        ([{"token": "long-enough", "roles": ["drive"]}], "entry 1: roles are"),
        ([{"token": "long-enough", "roles": []}], "entry 1: roles are"),
        ([{"token": "abcdefgh1", "roles": [["operate"]]}], "entry 1: roles are"),
        ("[" * 100_000, "cannot be read"),
        ([{"token": "short", "roles": ["observe"]}], "tokens.json, entry 1: a robot's token needs 8 characters"),
        ([{"sha256": hashlib.sha256(b"").hexdigest(), "roles": ["operate"]}], "entry 1: sha256 is that of an empty token"),
        ([{"token": "long-enough", "roles": [role]} for role in ("observe", "reset")], "entries 1 and 2 are one token"),
        (
            [{"name": "lab", "token": f"long-enough-{n}", "roles": ["observe"]} for n in (1, 2)],
            "entries 1 and 2 are both called 'lab'",
        ),
        ('[{"token": "long-enough", "roles": ["observe"], "roles": ["reset"]}]', "the same key twice"),
        ([{"name": "lab\x1b[2J", "token": "long-enough", "roles": ["observe"]}], "entry 1: name is 'lab"),
        ([{"name": "lab\udc9b", "token": "long-enough", "roles": ["observe"]}], "entry 1: name is 'lab"),
        ([{"name": ["lab"], "token": "long-enough", "roles": ["observe"]}], "entry 1: name is "),
        ([{"tokn": "long-enough", "roles": ["observe"]}], "unknown key 'tokn'"),
        ([{"roles": ["observe"]}], "one of token and sha256"),
        ([{"sha256": "abc", "roles": ["observe"]}], "one of token and sha256"),
        ([{"token": "long-enough", "roles": ["observe"], "expires": "tomorrow"}], "expires is 'tomorrow'"),
        ([{"token": "long-enough", "roles": ["observe"], "expires": "2027-01-01T00:00:00"}], "expires is"),
    ],
)
def test_a_file_of_tokens_that_is_wrong_is_refused(entries: Any, message: str, tmp_path: Path) -> None:
    """A token that is empty, stands there twice or is too deep was taken in silence, or ended the program with a traceback."""
    path = tmp_path / "tokens.json"
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    path.chmod(0o600)
    with pytest.raises(UsageError, match=message):
        read_grants(path)


def test_no_grant_opens_to_an_empty_token() -> None:
    """A grant with the digest of nothing let in whoever sent no token at all."""
    access = Access([Grant("nobody", hashlib.sha256(b"").digest(), frozenset(ROLES))])
    for header in (b"", b"Bearer", b"Bearer ", b"bearer   "):
        with pytest.raises(Refusal, match="missing or wrong"):
            access.known(header)


def test_a_file_of_tokens_gives_their_roles(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    digest = Grant.of("the-second-token", ["reset"]).sha256.hex()
    entries = [
        {"name": "lab", "token": "the-first-token", "roles": ["operate"], "expires": "2099-01-01T00:00:00+00:00"},
        {"name": "guard", "sha256": digest, "roles": ["reset"]},
    ]
    path.write_text(json.dumps(entries))
    path.chmod(0o600)
    access = Access(read_grants(path))
    assert access.known(b"Bearer the-first-token").name == "lab"
    assert access.known(b"bearer the-second-token").allows("reset")


def test_tokens_that_others_can_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps([{"token": "long-enough", "roles": ["observe"]}]))
    path.chmod(0o644)
    with pytest.raises(UsageError, match="read by others"):
        read_grants(path)
