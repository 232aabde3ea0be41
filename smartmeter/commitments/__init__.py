"""The meter's side of private statements: committing to intervals, and opening one weighted sum for each period."""
