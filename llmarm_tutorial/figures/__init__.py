"""Every figure of the kit, in one style.

Functions take plain tables and arrays, draw one figure and return it; they compute nothing that a reader would want to
check. A module per group of lessons: mining, sequences, models, readout, classify, recommend, shop, distil, graphs.
They rest on house_style (colours, fonts, axes), labels (names beside points), networks (where nodes lie) and panels
(what several figures draw).
"""
