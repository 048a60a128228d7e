"""`python -m counting`: recurra's command line with the small task beside its own."""

from recurra import cli
from recurra.tasks import TASKS, Entry

TASKS["counting"] = Entry("counting", "Counting", "The running sum of a row of numbers.")
cli.add_tasks()
cli.main()
