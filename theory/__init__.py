"""The code of the notes; each notebook imports what it needs from here."""
