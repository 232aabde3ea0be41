"""``petra wallet``: one home's side of the market, from seed phrase to trading."""

import typer

from petra.commands import wallet_make, wallet_run, wallet_show, wallet_trade

app = typer.Typer(no_args_is_help=True, help="A home's wallet: seed phrase, notes, offers, and the agent that trades.")
for command in (
    wallet_make.init,
    wallet_make.restore,
    wallet_show.status,
    wallet_trade.offer,
    wallet_trade.trade,
    wallet_show.policy,
    wallet_show.history,
    wallet_run.run,
):
    app.command()(command)
