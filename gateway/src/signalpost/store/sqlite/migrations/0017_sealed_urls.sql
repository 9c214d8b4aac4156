-- URLs of subscriptions are sealed with their secrets. Earlier versions would look for them where they were in plain.

-- Nothing that SQL could do: the start seals them once it has the keys (former_urls.py).
