"""The routes, one file for each group. The work behind them is in the other rooms."""
