"""Workers of torchrun meet each other, and never those that died before them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from training.fit.workers import agreed_name

SECOND = timedelta(seconds=1)


def test_those_alive_agree_on_a_name_that_is_new_each_time() -> None:
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=20 * SECOND)

    def meets(number: int, count: int = 3, late: float = 0.0) -> str:
        time.sleep(late)
        store = TCPStore("127.0.0.1", server.port, is_master=False, timeout=20 * SECOND)
        return agreed_name(store, number, count)

    names = []
    with ThreadPoolExecutor(3) as pool:
        for late in (0.0, 0.3, 0.6):
            meetings = [pool.submit(meets, number, late=late * (number == 0)) for number in range(3)]
            (name,) = {meeting.result(timeout=30) for meeting in meetings}
            names.append(name)
    assert len(set(names)) == 3


def test_one_that_waits_for_a_dead_one_takes_no_old_word_for_it() -> None:
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=20 * SECOND)
    server.set("worker 1", "of one that died")
    store = TCPStore("127.0.0.1", server.port, is_master=False, timeout=20 * SECOND)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(agreed_name, store, 0, 2)
        time.sleep(0.5)
        assert not first.done()
        assert agreed_name(server, 1, 2) == first.result(timeout=30)
