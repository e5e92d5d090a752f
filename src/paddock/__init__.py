"""Paddock: take a machine-learning model from a notebook to production and keep it right there."""
