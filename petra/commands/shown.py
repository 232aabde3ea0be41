"""How commands show tables."""

from rich.console import Console
from rich.table import Table as RichTable

from petra.tables import Table


def show(table: Table) -> None:
    """Print a table; the first column to the left, the others to the right."""
    console = Console()
    console.width = max(console.width, 130)
    rich = RichTable(title=table.title, title_justify="left", caption=table.note or None, caption_justify="left")
    for i, name in enumerate(table.header):
        rich.add_column(name, justify="left" if i == 0 else "right")
    for row in table.rows:
        rich.add_row(*row)
    console.print(rich)
