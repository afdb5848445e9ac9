"""``headway fake-api``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from headway.cli.exit_status import CommandError
from headway.testing.fake_api import FakeConfig, OutputLength, load_faults, parse_latency, parse_limits, serve
from headway.testing.fake_api.limits import parse_pairs


@dataclass(frozen=True, slots=True)
class FakeOptions:
    """The options of ``headway fake-api`` as they were given."""

    host: str = "127.0.0.1"
    port: int = 8787
    limits: str = ""
    burst: float | None = None
    latency: str | None = None
    output: str | None = None
    faults: str | None = None
    seed: int = 0
    batch_seconds: float = 1.0
    batch_scale: float = 1.0


def serve_fake_api(options: FakeOptions) -> None:
    """Serve until a signal. Raises `CommandError` for options that are not understood."""
    try:
        config = _config(options)
        serve(config, options.host, options.port, _announce)
    except ValueError as error:
        raise CommandError(f"fake-api: {error}") from None
    except OSError as error:
        raise CommandError(
            f"fake-api: port {options.port} cannot be used: {error.strerror or error}"
        ) from None


def _config(options: FakeOptions) -> FakeConfig:
    config = FakeConfig(
        limits=parse_limits(options.limits, options.burst),
        seed=options.seed,
        batch_seconds=options.batch_seconds,
        batch_time_scale=options.batch_scale,
    )
    if options.latency:
        config = replace(config, latency=parse_latency(options.latency))
    if options.output:
        config = replace(
            config, output=OutputLength(**parse_pairs(options.output, ("mean", "sigma"), "output"))
        )
    if options.faults:
        config = replace(config, faults=load_faults(options.faults))
    return config


def _announce(url: str) -> None:
    print(f"fake API ready at {url}")
    print(f"  export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=fake")
    print(f"  statistics: {url}/_fake/stats    Ctrl-C stops it", flush=True)
    sys.stdout.flush()
