"""Parts of the calibration of the judge of embeddings."""
