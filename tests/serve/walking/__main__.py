"""`python -m walking`: recurra's command line with the small task beside its own."""

from recurra import cli
from recurra.tasks import TASKS, Entry

TASKS["walking"] = Entry("walking", "Walking", "Where a walk goes.")
cli.add_tasks()
cli.main()
