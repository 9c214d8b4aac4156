"""What a document may be, and how it changes: versions, workflow, history and links."""
