"""The way to a server: who asks, how, and what going wrong on the way means."""
