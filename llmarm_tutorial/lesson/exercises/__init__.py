"""Definitions of the lessons' exercises: module `lesson_NN` holds `EXERCISES`, a list of `check.Exercise`."""
