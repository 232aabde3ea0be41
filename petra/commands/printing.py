"""Tables as commands print them."""

from rich.table import Table as RichTable

from petra.tables import Table


def rich_table(table: Table) -> RichTable:
    """``table`` for rich's console."""
    rich = RichTable(title=table.title, title_justify="left", title_style="bold", caption=table.note or None)
    rich.caption_justify = "left"
    for i, name in enumerate(table.header):
        rich.add_column(name, justify="left" if i == 0 else "right", no_wrap=i == 0)
    for row in table.rows:
        rich.add_row(*row)
    return rich
