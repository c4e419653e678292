"""Run the command line as `python -m radnet`."""

from radnet.cli import main

main()
