"""The server in a thread and in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import http.client
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from anthropic import Anthropic, AsyncAnthropic

from headway.testing.fake_api import FakeAPI, FakeConfig, FakeLimits, preset

ASK = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}


def test_the_fixture_serves_a_sync_test(headway_fake_api):
    with Anthropic(base_url=headway_fake_api.base_url, api_key="k", max_retries=0) as client:
        assert client.messages.create(**ASK).stop_reason
    assert headway_fake_api.stats().served == 1


@pytest.mark.anyio
async def test_the_fixture_serves_an_async_test(headway_fake_api):
    async with AsyncAnthropic(base_url=headway_fake_api.base_url, api_key="k", max_retries=0) as client:
        assert (await client.messages.create(**ASK)).stop_reason
    headway_fake_api.set_limits(FakeLimits(requests=7))
    assert headway_fake_api.stats().groups["claude-sonnet-5-5"].buckets["requests"].limit == 7
    headway_fake_api.reset()
    assert headway_fake_api.stats().arrivals == 0


def open_descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_threads_and_sockets_are_given_back():
    before = threading.active_count()
    open_files = open_descriptors()
    for _ in range(5):
        with FakeAPI.in_thread() as api:
            connection = http.client.HTTPConnection(*api.base_url.removeprefix("http://").split(":"))
            connection.request("GET", "/_fake/config")  # and left open
            connection.getresponse().read()
        connection.close()
    gc.collect()  # an unclosed socket would be a warning, and a warning is an error here
    assert threading.active_count() == before
    assert open_descriptors() <= open_files


def test_a_taken_port_is_an_error():
    with FakeAPI.in_thread() as api:
        port = int(api.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), FakeAPI.in_thread(port=port):
            pass


def test_control_refuses_what_it_does_not_understand(headway_fake_api):
    with pytest.raises(ValueError, match=r"limits\.rps: there is no such field"):
        headway_fake_api._call("POST", "limits", {"rps": 1})
    with pytest.raises(ValueError, match="POST /_fake/nothing"):
        headway_fake_api._call("POST", "nothing")


def test_own_process():
    with FakeAPI.spawn(FakeConfig(limits=FakeLimits(requests=3), faults=preset("tenant"))) as api:
        with Anthropic(base_url=api.base_url, api_key="k", max_retries=0) as client:
            client.messages.create(**ASK)
        stats = api.stats()
        assert stats.served == 1
        assert stats.groups["claude-sonnet-5-5"].buckets["requests"].limit == 3
        api.set_faults(preset("out_of_credit"))
        with Anthropic(base_url=api.base_url, api_key="k", max_retries=0) as client:
            with pytest.raises(Exception, match="credit balance is too low"):
                client.messages.create(**ASK)
        pid = api.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_signal_ends_the_program_cleanly():
    command = [
        sys.executable,
        "-m",
        "headway.testing.fake_api",
        "--port",
        "0",
        "--limits",
        "requests=60,input=6k",
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as two:
        for process, number in ((one, signal.SIGTERM), (two, signal.SIGINT)):
            assert "fake API ready at http://127.0.0.1:" in process.stdout.readline()
            process.send_signal(number)
        for process in (one, two):
            _, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--limits", "rps=3"], "'rps=3' is not understood"),
        (["--faults", "storn"], "neither a file nor a preset"),
        (["--latency", "ttft=soon"], "latency: ttft: 'soon' is not a number"),
        (["--output", "mean=0"], "mean must be at least 1 token"),
        (["--config", "nowhere.json"], "nowhere.json"),
    ],
)
def test_wrong_options_are_named(options, words, monkeypatch, capsys):
    from headway.testing.fake_api.__main__ import main

    monkeypatch.setattr(sys, "argv", ["fake-api", *options])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert words in capsys.readouterr().err


def test_stats_before_the_start_is_an_error():
    with pytest.raises(RuntimeError, match="async with"):
        _ = FakeAPI().stats


def test_importing_the_plugin_is_cheap():
    code = "import sys, headway.testing.pytest_plugin, headway.testing; print('aiohttp' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "False"


@pytest.mark.anyio
async def test_stopping_with_requests_in_flight():
    from headway.testing.fake_api import Latency

    async with FakeAPI(FakeConfig(latency=Latency(ttft=60))) as api:
        async with AsyncAnthropic(base_url=api.base_url, api_key="k", max_retries=0) as client:
            task = asyncio.create_task(client.messages.create(**ASK))
            while api.stats.arrivals == 0:
                await asyncio.sleep(0.001)
            await api.stop()
            with pytest.raises(Exception, match="Connection error"):
                await task
        assert api.stats.client_disconnects == 0
