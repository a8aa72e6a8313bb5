"""Small training runs from the losses of the pages, checked against the model while they run.

One algorithm is one file; `lessons` lists them, `session` runs one, `learned` is what it reports.
"""
