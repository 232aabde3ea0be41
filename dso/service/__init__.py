"""The operator's service: takes in statements over HTTP, keeps them, reports on them."""
