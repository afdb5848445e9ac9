"""``python -m headway.testing.fake_api``: the fake API as a program."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from headway.testing.fake_api.config import FakeConfig, OutputLength, parse_latency
from headway.testing.fake_api.fault_file import load_faults
from headway.testing.fake_api.limits import parse_limits, parse_pairs
from headway.testing.fake_api.plain import from_plain
from headway.testing.fake_api.serving import serve
from headway.testing.fake_api.spawned import READY

SCALE = "requests=10k,input=10M,output=2M"
"""The limits of the Scale tier."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="headway fake-api", description="A Claude Messages API on loopback."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8787, help="0 takes a free one")
    add("--limits", default=SCALE, help=f"a minute; left out: unlimited; default {SCALE}")
    add("--burst", type=float, help="depth of the buckets in seconds of their limit (60)")
    add("--latency", help="ttft=0.5,speed=80,jitter=0.2,refusal=0.05 or instant")
    add("--output", help="mean=50,sigma=0.6: tokens of a reply, lognormal")
    add("--faults", help="a preset (storm, mixed:5, tenant, cut …) or a JSON file")
    add("--batch-seconds", type=float, help="how long a message batch takes, by the server's clock (1)")
    add("--batch-scale", type=float, help="seconds that pass for batches in one second (1)")
    add("--seed", type=int, default=0)
    add("--config", help="JSON of a FakeConfig: a file, or - for the first line of standard input")
    add("--stop-with-stdin", action="store_true", help="stop when standard input is closed")
    return parser


def _config(arguments: argparse.Namespace) -> FakeConfig:
    if arguments.config is not None:
        piped = arguments.config == "-"
        text = sys.stdin.readline() if piped else Path(arguments.config).read_text(encoding="utf-8")
        return from_plain(FakeConfig, json.loads(text), "config")
    config = FakeConfig(limits=parse_limits(arguments.limits, arguments.burst), seed=arguments.seed)
    if arguments.latency:
        config = replace(config, latency=parse_latency(arguments.latency))
    if arguments.output:
        pairs = parse_pairs(arguments.output, ("mean", "sigma"), "output")
        config = replace(config, output=OutputLength(**pairs))
    if arguments.faults:
        config = replace(config, faults=load_faults(arguments.faults))
    if arguments.batch_seconds is not None:
        config = replace(config, batch_seconds=arguments.batch_seconds)
    if arguments.batch_scale is not None:
        config = replace(config, batch_time_scale=arguments.batch_scale)
    return config


def _announce(url: str) -> None:
    sys.stdout.write(f"{READY}{url}\n")
    sys.stdout.flush()


def main() -> None:
    """Parse the options and serve until a signal."""
    parser = _parser()
    arguments = parser.parse_args()
    try:
        config = _config(arguments)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    serve(config, arguments.host, arguments.port, _announce, arguments.stop_with_stdin)


if __name__ == "__main__":
    main()
