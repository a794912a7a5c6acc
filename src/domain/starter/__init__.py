"""The starter bank: questions of our own, made by code, so that a new system has something to ask.

Read `fact.py` first, then any topic.
"""
