"""What is asked of a store, one file per noun: the interface, and statements that both databases answer alike."""
