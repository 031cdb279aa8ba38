"""Pictures in: files, decoding, crops, batches, and the photographs that come along."""
