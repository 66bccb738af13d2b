"""What tests of notebooks share: real kernels, driven as an editor drives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# Runs cells in one kernel and prints, for each, its status and what it showed. A cell that prints
# `interrupt me` is interrupted; one that kills the kernel is the last.
DRIVER = """
import json, sys
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")
ran = []
for cell in json.loads(sys.argv[1]):
    shown = {"stdout": "", "stderr": "", "error": None, "value": None}
    def hook(message):
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            shown[content["name"]] += content["text"]
            if "interrupt me" in content["text"]:
                manager.interrupt_kernel()
        elif kind == "error":
            shown["error"] = content["ename"], "\\n".join(content["traceback"])
        elif kind == "execute_result":
            shown["value"] = content["data"]["text/plain"]
    if "os.kill" in cell:
        client.execute(cell)
        manager.provisioner.process.wait(60)
        break
    reply = client.execute_interactive(cell, output_hook=hook, timeout=60,
                                       stop_on_error=False)
    ran.append({**shown, "status": reply["content"]["status"]})
client.stop_channels()
manager.shutdown_kernel(now=True)
print(json.dumps(ran))
"""


def run_cells(*cells: str, **variables: str) -> list[dict[str, Any]]:
    """Run cells in a new kernel; return what an editor was told of each."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DRIVER, json.dumps(cells)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=200,
        env={**os.environ, **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ran: list[dict[str, Any]] = json.loads(done.stdout)
    return ran


def write_notebook(path: str, *cells: str, parameters: str | None = None, **about: Any) -> None:
    """Write a notebook; the cell with its parameters is the first."""
    listed = [(each, []) for each in cells]
    if parameters is not None:
        listed.insert(0, (parameters, ["parameters"]))
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": about,
        "cells": [
            {"cell_type": "code", "id": f"c{number}", "metadata": {"tags": tags},
             "execution_count": None, "outputs": [], "source": source}
            for number, (source, tags) in enumerate(listed)
        ],
    }  # fmt: skip
    Path(path).write_text(json.dumps(content, indent=1))
