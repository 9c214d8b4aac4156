"""The source `outbox`: a table beside the documents, written in the transaction that changes them."""
