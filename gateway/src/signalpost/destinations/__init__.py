"""One module for each kind of thing that events are delivered to. The signed webhook is the first."""
