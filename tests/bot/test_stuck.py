"""A loop that is stuck ends its process; one that works, or a process that is suspended, does not."""

import asyncio
import os
import signal
import subprocess
import sys
import time

from bot import stuck

STUCK = """
import asyncio, time
from bot import stuck

async def main():
    with stuck.watched(0.5, every=0.05):
        await asyncio.sleep(0.2)
        print("working", flush=True)
        time.sleep(30)

asyncio.run(main())
"""
SUSPENDED = STUCK.replace("time.sleep(30)", "await asyncio.sleep(1.5)")


def test_a_loop_that_is_stuck_ends_the_process_with_75_and_tells_where():
    began = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout) == (75, "working\n")
    assert "nothing has moved for 0.5 s" in ran.stderr
    assert "line 9 in main" in ran.stderr
    assert time.monotonic() - began < 15


def test_a_process_that_was_suspended_goes_on():
    with subprocess.Popen([sys.executable, "-c", SUSPENDED], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"working\n"
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        time.sleep(1)  # what it must survive is time itself
        os.kill(process.pid, signal.SIGCONT)
        assert (process.wait(20), process.stderr.read()) == (0, b"")


async def test_a_loop_that_works_is_left_alone():
    with stuck.watched(0.1, every=0.01):
        await asyncio.sleep(0.3)
