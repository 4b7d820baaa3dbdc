"""Operators' commands that only this shop has: the launcher `./ordersaga` puts them among the library's."""
