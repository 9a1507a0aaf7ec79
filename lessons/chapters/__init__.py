"""The course in chapters: one source for two languages, notebooks made from it, exercises that check themselves.

- `text/NN_name.md` is a chapter: code once, prose in Spanish and English beside each other.
- `source` reads it, `notebooks` writes and runs it, `kit` is what a notebook imports, `grading` what checks answers.
- `python -m lessons.chapters build|check` makes the notebooks, or tells which are old.
"""
