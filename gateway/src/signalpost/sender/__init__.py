"""The HTTP client: guards addresses, resolves names, pools connections, keeps a deadline per attempt.

`workers/` runs it in processes of their own.
"""
