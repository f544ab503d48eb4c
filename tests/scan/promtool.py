"""Runs promtool: what Prometheus itself says of a rule file, and which alerts fire for made-up series.

Source: Prometheus docs, "Unit testing for rules" (`ALERTS` holds what fires; `1+2x3` is 1, 3, 5, 7).
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

PROGRAM_VARIABLE = "FLEET_PROMTOOL"
"""`make scan` says where it is."""

RUN_SECONDS = 120.0

needs_promtool = pytest.mark.skipif(
    not os.environ.get(PROGRAM_VARIABLE),
    reason="needs promtool: on PATH, or from Debian's package by `make scan` where there is apt",
)


def promtool(*words: str) -> str:
    """What it says; nothing where everything is right."""
    done = subprocess.run(
        [os.environ[PROGRAM_VARIABLE], *words], capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def check(rules: str, folder: Path) -> str:
    """What is wrong with a rule file."""
    path = folder / "rules.yaml"
    path.write_text(rules, encoding="utf-8")
    return promtool("check", "rules", str(path))


def expect(
    rules: str, folder: Path, *, series: Mapping[str, str], step: str, at: str, firing: list[dict[str, str]]
) -> str:
    """What is other than expected of the alerts that fire `at` a time; `series` maps each to its values, one a `step`.

    `firing`: the labels of each, `alertname` included.
    """
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    samples = [{"labels": _selector({"alertstate": "firing", **labels}), "value": 1} for labels in firing]
    test: dict[str, Any] = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": step,
        "tests": [
            {
                "interval": step,
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {"expr": 'ALERTS{alertstate="firing"}', "eval_time": at, "exp_samples": samples}
                ],
            }
        ],
    }  # fmt: skip
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(test), encoding="utf-8")
    return promtool("test", "rules", str(path))


def _selector(labels: Mapping[str, str]) -> str:
    return "ALERTS{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
