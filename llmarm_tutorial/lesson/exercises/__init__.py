"""Definitions of the lessons' exercises: module `lesson_NN` holds `EXERCISES`, a list of `answers.Exercise`."""
