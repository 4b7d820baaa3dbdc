"""The commands that compose.yaml runs beside the shop: seed, traffic, and the operators' commands."""
