"""What the documents say exists: links, options and commands."""

import ast
import inspect
import os
import re
import shlex
from pathlib import Path

import pytest

from recurra import cli
from recurra.tasks import TASKS
from recurra.tasks.base import Task

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")]
)

COMMANDS = (
    cli.generate,
    cli.score,
    cli.translate,
    cli.listen,
    cli.predict,
    cli.stream,
    cli.export,
    cli.serve,
)


def blocks(page, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_is_python(page):
    for block in blocks(page, "python"):
        ast.parse(block)


def commands():
    for page in PAGES:
        for block in blocks(page, ""):
            for line in block.splitlines():
                words = shlex.split(line, comments=True) if line.startswith(("recurra ", "torchrun ")) else []
                if "recurra" in words:
                    yield pytest.param(words[words.index("recurra") + 1 :], id=line)


@pytest.fixture(scope="module")
def app():
    """The command line with every task on it."""
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    return cli.app


@pytest.mark.parametrize("words", list(commands()))
def test_commands_parse_and_name_files_that_are_there(words, app):
    _, bound, unused = app.parse_args(words, exit_on_error=False, print_error=False)[:3]
    assert not unused
    assert bound.arguments
    for word in words:
        if word.startswith("examples/"):
            assert (ROOT / word).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_exist(page):
    fields = {name.replace("_", "-") for entry in TASKS.values() for name in entry.config().model_fields}
    commands = [inspect.signature(one).parameters for one in COMMANDS]
    options = {name.removeprefix("as_").replace("_", "-") for one in commands for name in one}
    options |= {f"no-{name}" for name in fields}
    known = fields | options | {"out", "resume", "overwrite", "help", "nproc-per-node"}
    named = set(re.findall(r"`--([a-z][a-z0-9-]*)", page.read_text(encoding="utf-8")))
    assert named <= known


def test_the_example_is_what_the_start_page_points_to():
    assert "examples/forecast.py" in (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    assert os.access(ROOT / "examples" / "forecast.py", os.R_OK)


def test_the_page_on_extending_names_all_that_a_task_must_answer():
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    wanted = [name for name, value in vars(Task).items() if callable(value) and not name.startswith("_")]
    assert len(wanted) > 5
    assert [name for name in wanted if f"| `{name}(" not in text] == []
