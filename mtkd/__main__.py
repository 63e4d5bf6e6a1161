"""`python -m mtkd`, which `accelerate launch -m mtkd` needs."""

from mtkd.cli import main

main()
