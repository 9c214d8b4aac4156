"""The console: pages for people who set subscriptions up and look into failures. It has no power of its own: each page
makes calls of the API by their names, as whoever has signed in."""
