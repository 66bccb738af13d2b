"""One of the processes that make records: started by `workers`, ends with its standard input."""

from gitlineage.bulk.workers import serve

serve()
