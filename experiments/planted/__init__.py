"""Populations that are taken out of one batch, and what becomes of them: designs, codes and what is seen of these."""
