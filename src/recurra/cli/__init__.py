"""The command line: what `recurra` does with files and bundles. Quick to show its help.

fit.py          fit: a command for each task, an option for each field of its Config
ask.py          evaluate, predict, inspect, explain
text.py         generate, score
translating.py  translate
listening.py    listen
deploy.py       stream, export; serve is in recurra/serve/command.py
arguments.py    what more than one of them takes
printed.py      what they print and write
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

import recurra
from recurra.cli.ask import evaluate, explain, inspect, predict
from recurra.cli.deploy import export, stream
from recurra.cli.fit import add_tasks, fit_app
from recurra.cli.listening import listen
from recurra.cli.text import generate, score
from recurra.cli.translating import translate
from recurra.errors import RecurraError, Stopped
from recurra.serve.command import serve

MISTAKE = 2  # exit code for what a user can put right
SIGNALLED = 128  # plus the signal's number, as shells do

HELP = "From files of sequences to a trained recurrent network, judged beside baselines."
CODES = (
    "Exit codes: 0 done; 2 a mistake that one sentence names; 130 and 143 stopped by Ctrl-C or SIGTERM, "
    "where fit has saved first and --resume goes on."
)

app = App(
    name="recurra",
    help=HELP,
    help_epilogue=CODES,
    help_format="plaintext",
    version=recurra.__version__,
    suppress_keyboard_interrupt=False,
)
app.command(fit_app)
add_tasks()
ASKED = (evaluate, predict, generate, translate, listen, score, stream)
for command in (*ASKED, export, inspect, explain, serve):
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    who = f"recurra, process {os.environ['RANK']}" if os.environ.get("RANK", "0") != "0" else "recurra"
    code = 0
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except Stopped as error:
        print(f"{who}: {error}", file=sys.stderr)
        code = SIGNALLED + error.signal
    except KeyboardInterrupt:
        print(f"{who}: interrupted", file=sys.stderr)
        code = 130
    except (RecurraError, CycloptsError) as error:
        print(f"{who}: {' '.join(str(error).split())}", file=sys.stderr)
        code = MISTAKE
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
