"""The figures, a module a note; drawing.py has what they share."""
