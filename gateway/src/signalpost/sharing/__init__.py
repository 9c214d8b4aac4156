"""How what many want at a time is shared: who has the next turn, how much one may hold, and what happens beyond it.

Everything here is in memory and belongs to one process. What decides is pure; what waits belongs to one event loop.
`docs/sharing.md` is the table of all that is shared, with every bound.
"""
