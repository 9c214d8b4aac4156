"""The source `sqs`: a queue of Amazon SQS."""
