"""Turns a prompt into N stored responses: the providers, their streams and the runs."""
