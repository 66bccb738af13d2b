"""`python -m gitlineage`: the command, where the folder that it was installed to is not on PATH."""

from gitlineage.cli import leave, main

leave(main())
