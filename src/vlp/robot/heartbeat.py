"""Holds the lease of a remote robot: acquires it when first needed and renews it from a thread."""

import contextlib
import threading
import time

from pydantic import ValidationError

from vlp.robot.http import Http, RobotRefused, RobotUnreachable
from vlp.robot.wire import LeaseBody


class Heartbeat:
    """One lease, kept alive at a third of its time to live.

    Args:
        http: connections of its own, so that a slow answer to a step does not delay a beat.
        holder: the name under which the robot is held.
        ttl_s: silence after which the lease ends.
    """

    def __init__(self, http: Http, holder: str, ttl_s: float) -> None:
        self._http, self._holder, self._ttl_s = http, holder, ttl_s
        self._lock = threading.Lock()
        self._epoch: int | None = None
        self._gone = False
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def epoch(self) -> int:
        """Return the epoch of the lease, acquiring one when there is none.

        Raises:
            RobotRefused: somebody else holds the robot; or, once, the lease was lost since the last call: what is known of
                the robot may be out of date.
            RobotUnreachable: nobody answers.
        """
        with self._lock:
            if self._gone:
                self._gone = False
                raise RobotRefused(409, "no-lease", "the lease was lost between two steps.", "Look again before the next step.")
            if self._epoch is None:
                self._epoch = self._post(None)
                self._end = threading.Event()
                self._thread = threading.Thread(target=self._beat, args=(self._end,), name="lease", daemon=True)
                self._thread.start()
            return self._epoch

    def lost(self) -> None:
        """Forget the lease; the next `epoch` acquires a new one."""
        self.end()

    def end(self) -> None:
        """Stop renewing; the lease runs out by itself."""
        self._end.set()
        self._epoch = None

    def close(self) -> None:
        """Stop renewing and give the lease back."""
        epoch = self._epoch
        self.end()
        if epoch is not None:
            with contextlib.suppress(RobotRefused, RobotUnreachable):  # else it runs out by itself
                self._http.call("POST", "/lease/release", {"holder": self._holder, "epoch": epoch})
        self._http.close()

    def _post(self, epoch: int | None) -> int:
        body = {"holder": self._holder, "ttl_s": self._ttl_s}
        reply = self._http.call("POST", "/lease", body if epoch is None else {**body, "epoch": epoch})
        try:
            lease = LeaseBody.model_validate(reply)
        except ValidationError:
            raise RobotUnreachable("its answer is not a lease", sent=True) from None
        return lease.epoch

    def _beat(self, end: threading.Event) -> None:
        epoch, alive = self._epoch, time.monotonic()
        while not end.wait(self._ttl_s / 3):
            try:
                self._post(epoch)
                alive = time.monotonic()
            except RobotRefused:
                break
            except RobotUnreachable:
                if time.monotonic() - alive > self._ttl_s:
                    break
        if not end.is_set() and self._epoch == epoch:
            self._epoch, self._gone = None, True
