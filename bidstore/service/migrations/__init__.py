"""Migrations of the bid store's database."""
