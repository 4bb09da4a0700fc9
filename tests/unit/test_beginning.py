"""How the program begins: Ctrl-C ends it quietly at every moment, and shells complete its commands and options."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from groundcam_runtime.signals import interrupt_is_ours

HEAVY = {"torch", "torchvision", "transformers", "av", "cv2", "numpy", "simplejpeg", "rich.live", "jgo"}
INTERRUPTED = """
import os, signal, sys

module = sys.argv.pop(1)

class Interrupter:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have the tests in its background
sys.meta_path.insert(0, Interrupter())
from groundcam.__main__ import main
main()
"""
"""Ctrl-C while a module is being looked for, by the module's name."""
LOADED = """
import atexit, sys
from groundcam.__main__ import main
atexit.register(lambda: print(sorted(HEAVY & set(sys.modules)), file=sys.stderr))
main()
"""
PROGRAM = Path(sys.executable).parent / "groundcam"


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("groundcam_runtime.signals", "watch"),
        ("groundcam.command_line", "work"),
        ("pydantic_core", "topics ensure"),
        ("groundcam.commands.produce", "produce"),
        ("kafka", "watch"),
        ("groundcam_producers.supervisor", "produce --camera gate=."),
        ("groundcam_worker.run", "work --model fake"),
        ("groundcam.offline.inputs", "detect a.jpg --question dog"),
    ],
)
def test_ctrl_c_ends_it_without_a_traceback_whatever_is_being_imported(module: str, command: str) -> None:
    arguments = [sys.executable, "-c", INTERRUPTED, module, *command.split()]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.strip(), done.stdout) == (130, "", "")


def test_a_command_imports_no_other_one_and_the_client_of_kafka_only_where_it_has_a_use() -> None:
    code = (
        "import atexit, sys\nfrom groundcam.__main__ import main\natexit.register(lambda: print(sorted(one for one in"
        " sys.modules if one == 'kafka' or one.startswith('groundcam.commands.')), file=sys.stderr))\nmain()"
    )
    for command, loaded in (
        ("--version", ["groundcam.commands.options"]),
        ("config check nosuch.yaml", ["groundcam.commands.config", "groundcam.commands.options"]),
        ("watch --help", ["groundcam.commands.options", "groundcam.commands.watch", "kafka"]),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *command.split()], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stderr.splitlines()[-1] == str(loaded), command


def test_ctrl_c_is_kept_from_a_process_that_is_started_and_not_from_its_parent() -> None:
    is_blocked = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    with interrupt_is_ours():
        done = subprocess.run([sys.executable, "-c", is_blocked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_options_with_the_script_that_is_shown() -> None:
    # From a shell, which is looked for among the program's parents: a test may run without any.
    shown = ["bash", "-c", '"$0" --show-completion bash; exit $?', str(PROGRAM)]
    script = subprocess.run(shown, capture_output=True, text=True, check=True, timeout=60).stdout
    tried = "\n".join(
        f"COMP_WORDS=({words}); COMP_CWORD={words.count(' ')}; _groundcam_completion groundcam; echo ${{COMPREPLY[*]}}"
        for words in ("groundcam wo", "groundcam topics e", "groundcam work --batch-", "groundcam topics acls --role w")
    )
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{tried}"], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.stdout.split() == ["work", "ensure", "--batch-size", "worker"], done.stderr


def test_help_and_completion_load_nothing_heavy() -> None:
    for arguments, variables in (
        (["--help"], {}),
        ([], {"_GROUNDCAM_COMPLETE": "complete_bash", "COMP_WORDS": "groundcam detect --", "COMP_CWORD": "2"}),
    ):
        done = subprocess.run(
            [sys.executable, "-c", LOADED.replace("HEAVY", repr(HEAVY)), *arguments],
            capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **variables},
        )  # fmt: skip
        assert done.stdout
        assert done.stderr.strip() == "[]"
