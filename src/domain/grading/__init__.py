"""Grading: an answer and a question in, a mark out; pure, exact, and total: no answer is an error.

Read in order: `marks` (what comes out) · `locales`, `notation`, `numbers`, `number_words` (reading a number) ·
`units`, `rounding`, `number_blanks` (judging it) · `wording`, `spelling`, `text_blanks` (words) · `several` (lists,
sets, ratios, times) · `choices` · `mark` (the way in) · `writing` and `explain` (the same, told to people). Rule ids
are those of `docs/grading.md`.
"""
