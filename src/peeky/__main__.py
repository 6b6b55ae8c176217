"""`python -m peeky` is `peeky`."""

from peeky.cli import main

main()
