"""What compose.yaml runs beside the shop: its seed, its traffic, and the operators' commands."""
