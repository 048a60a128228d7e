"""`python -m recurra`, which is also what torchrun starts."""

from recurra.cli import main

main()
