"""A word of the holder counts from when it was sent, not from when a busy server reads it."""

import itertools
import time

from vlp.robot.lease import Lease
from vlp.sim.fake.robot import Script

from .conftest import serving


def test_a_beat_that_waited_on_its_way_is_as_old_as_it_is() -> None:
    """Beats of a frozen client that a busy server read late kept its robot moving until 1.1 s after."""
    now_s = 1000.0
    lease = Lease(itertools.count(1).__next__, lambda: now_s)
    lease.acquire("ann", 5.0, sent_s=7.2)  # by another clock, and 0.2 s on its way
    now_s = 1001.0
    lease.renew("ann", 1, 5.0, sent_s=8.3)
    assert lease.heard_s == 1001.0, "the quickest way so far says what no wait is"
    now_s = 1001.9
    lease.renew("ann", 1, 5.0, sent_s=8.5)
    assert abs(lease.heard_s - 1001.2) < 1e-9, "a beat that waited for 0.7 s counted as new"
    lease.renew("ann", 1, 5.0, sent_s=8.4)
    assert abs(lease.heard_s - 1001.2) < 1e-9, "an older beat turned the time back"
    lease.renew("ann", 1, 5.0)
    assert lease.heard_s == 1001.9, "who tells no time is heard now"
    lease.acquire("ann", 5.0, sent_s=500.0)
    assert lease.heard_s == 1001.9, "a new lease knows nothing of the clock before"


def test_an_old_beat_that_leaves_no_lease_is_refused() -> None:
    """Generated requests: 500, for after a beat from long ago with a shorter lease there was none left to tell of."""
    with serving() as served:
        body = {"holder": "tester", "ttl_s": 5.0}
        epoch = served.http.post("/lease", params={"sent_s": 1000.0}, json=body).json()["epoch"]
        time.sleep(0.3)
        old = served.http.post("/lease", params={"sent_s": 900.0}, json={**body, "ttl_s": 0.2, "epoch": epoch})
    assert (old.status_code, old.json()["error"]["code"]) == (409, "no-lease")


def test_old_beats_do_not_keep_a_robot_moving() -> None:
    with serving(silence_s=0.5) as served:
        epoch = served.lease(ttl_s=60.0).json()["epoch"]
        served.fake.script("home", Script(delay_s=60.0))
        assert served.post("home", "a", epoch).status_code == 202
        end_s = time.monotonic() + 20.0
        while served.http.get("/health").json()["busy"] and time.monotonic() < end_s:
            body = {"holder": "tester", "ttl_s": 60.0, "epoch": epoch}
            served.http.post("/lease", params={"sent_s": 5.0}, json=body)
            time.sleep(0.05)
        health = served.http.get("/health").json()
        assert health["stopped"] and "silent" in health["stop_reason"]
